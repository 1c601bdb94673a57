// Files of this host as an importer reads them: in pieces, packed ones unpacked, `-` for standard input.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { InputError } from "../../errors.ts";
import { unpackedPieces } from "../unpack-node.ts";
import type { TextSource } from "./lines.ts";

const PIECE = 1 << 20;

/** The file at `path`. */
export function textFile(path: string): TextSource {
  return { name: path === "-" ? "standard input" : path, pieces: () => pieces(path) };
}

function* pieces(path: string): Iterable<Uint8Array> {
  let fd = 0;
  try {
    const unpacked = unpackedPieces(path);
    if (unpacked !== undefined) {
      yield* unpacked;
      return;
    }
    fd = path === "-" ? 0 : openSync(path, "r");
    if (path !== "-" && fstatSync(fd).isDirectory())
      throw new InputError(`${path}: it is a folder; name the files in it`);
    const bytes = new Uint8Array(PIECE);
    for (;;) {
      const got = readPiece(fd, bytes);
      if (got === 0) return;
      yield bytes.subarray(0, got);
    }
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}

/** Reads what there is; a pipe that has nothing yet is asked again. */
function readPiece(fd: number, bytes: Uint8Array): number {
  for (;;) {
    try {
      return readSync(fd, bytes, 0, bytes.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

function unreadable(path: string, error: unknown): unknown {
  if (error instanceof InputError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) return error;
  if (code.startsWith("Z")) return new InputError(`${path}: its packed data is damaged or cut off (${code})`);
  if (code === "ENOENT") return new InputError(`${path}: there is no such file`);
  return new InputError(`${path}: it cannot be read (${code}); check the file and its permissions`);
}
