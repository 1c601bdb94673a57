// gzip files written piece by piece with nothing of the time or the host in them, and read whole with a bound.
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { constants, crc32, deflateRawSync, gunzipSync } from "node:zlib";
import { BrokenFile, type FileSink, MissingFile, slices } from "./store.ts";

/** Magic, deflate, no flags, no time, no extra flags, OS unknown (RFC 1952). */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
const LEVEL = 6;
/** What comes behind this much of a file is packed more quickly: a third of the time, a third more bytes. */
const LONG_BYTES = 8 << 20;
const LONG_LEVEL = 1;
/** Text compressed at a time; what came before serves as dictionary, so that little is lost by cutting. */
const PIECE_BYTES = 1 << 20;
const WINDOW = 32768;
/** The most a table may unpack to: what one Buffer and this reader's patience hold. */
export const MAX_TABLE_BYTES = 2 ** 32 - 1;

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** A file that is on the disk when closed. */
export function plainFile(path: string): FileSink {
  const fd = openSync(path, "wx");
  return {
    write: (bytes) => writeAll(fd, bytes),
    close: () => {
      fsyncSync(fd);
      closeSync(fd);
    },
  };
}

/** A gzip file of one member: the same bytes in, the same bytes out. */
export function gzipFile(path: string): FileSink {
  const file = plainFile(path);
  file.write(HEADER);
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let window: Uint8Array = new Uint8Array(0);
  let crc = 0;
  let size = 0;
  const flush = () => {
    const piece = Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
    const dictionary = window.length > 0 ? { dictionary: window } : {};
    file.write(
      deflateRawSync(piece, {
        level: size > LONG_BYTES ? LONG_LEVEL : LEVEL,
        finishFlush: constants.Z_SYNC_FLUSH,
        ...dictionary,
      }),
    );
    window = piece.subarray(-WINDOW);
  };
  return {
    write: (bytes) => {
      crc = crc32(bytes, crc);
      size += bytes.length;
      pending.push(bytes.slice());
      pendingBytes += bytes.length;
      if (pendingBytes >= PIECE_BYTES) flush();
    },
    close: () => {
      if (pendingBytes > 0) flush();
      file.write(deflateRawSync(new Uint8Array(0), { level: LEVEL }));
      const trailer = new DataView(new ArrayBuffer(8));
      trailer.setUint32(0, crc, true);
      trailer.setUint32(4, size >>> 0, true);
      file.write(new Uint8Array(trailer.buffer));
      file.close();
    },
  };
}

/** The uncompressed bytes of a table, which must be no more than `maxBytes`. */
export function* tablePieces(path: string, maxBytes: number): Iterable<Uint8Array> {
  if (maxBytes > MAX_TABLE_BYTES)
    throw new BrokenFile(`datapackage.json says ${maxBytes} bytes, more than can be read`);
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new MissingFile();
    throw new BrokenFile(`it cannot be read (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`);
  }
  if (path.endsWith(".gz")) file = unzipped(file, maxBytes);
  else if (file.length > maxBytes) throw tooLong(maxBytes);
  yield* slices(file);
}

function tooLong(maxBytes: number): BrokenFile {
  return new BrokenFile(`it holds more than the ${maxBytes} bytes that datapackage.json says`);
}

function unzipped(file: Buffer, maxBytes: number): Buffer {
  try {
    return gunzipSync(file, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLong(maxBytes);
    if (code === "Z_BUF_ERROR") throw new BrokenFile("its gzip data is cut off");
    throw new BrokenFile("its gzip data is damaged");
  }
}
