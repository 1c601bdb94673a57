// Opens an image directory {index.json, data.bin} on Node.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../../errors.ts";
import { type ImageIndex, parseIndex, type RootImage } from "./image.ts";

/** Most bytes read ahead. */
const MOST_AHEAD = 1 << 18;

/** A root image on disk. */
export interface OpenImage extends RootImage {
  /** The image's directory. */
  directory: string;
  /** "name version" of its Debian packages. */
  packages: string[];
  /** Closes data.bin; reads fail afterwards. */
  close(): void;
}

/**
 * Reads an image directory's index.
 * @throws InputError if there is no image, or it is damaged
 */
export function readIndex(directory: string): ImageIndex {
  const file = join(directory, "index.json");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new InputError(
      `${directory}: no root image there; make one with \`kmlab rootfs add\` or \`kmlab rootfs import\``,
    );
  }
  return parseIndex(text, file);
}

/**
 * Opens an image directory: the index is read at once (a few milliseconds for 5,000 entries), contents on demand.
 * What read() gives is a view of bytes that later reads leave alone.
 * @param index its index, if that has been read
 * @throws InputError if there is no image, or it is damaged
 */
export function openImage(directory: string, index: ImageIndex = readIndex(directory)): OpenImage {
  const file = join(directory, "data.bin");
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch {
    throw new InputError(`${file}: missing; remove ${directory} and make the image again with \`kmlab rootfs\``);
  }
  /** Bytes of the file read ahead, where they begin, and how many to read next when reading goes on behind the last read. */
  let ahead = new Uint8Array(0);
  let from = 0;
  let next = 0;
  let bytes = 0;
  const fill = (out: Uint8Array, offset: number): number => {
    let done = 0;
    while (done < out.length) {
      const n = readSync(fd, out, done, out.length - done, offset + done);
      if (n === 0) break;
      done += n;
    }
    return done;
  };
  return {
    digest: index.digest,
    entries: index.entries,
    directory,
    packages: index.packages,
    read(offset, length) {
      if (offset < from || offset + length > from + ahead.length) {
        bytes = offset === next ? Math.min(2 * bytes, MOST_AHEAD) : 0;
        const wanted = Math.max(length, bytes);
        ahead = new Uint8Array(wanted);
        from = offset;
        const done = fill(ahead, offset);
        // Behind the end of the file there are zeros, as far as was asked for.
        if (done < wanted) ahead = ahead.subarray(0, Math.max(done, length));
        bytes = wanted;
      }
      next = offset + length;
      return ahead.subarray(offset - from, offset - from + length);
    },
    close() {
      ahead = new Uint8Array(0);
      closeSync(fd);
    },
  };
}
