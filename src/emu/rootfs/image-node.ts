// Opens an image directory {index.json, data.bin} on Node.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../../errors.ts";
import { type ImageIndex, parseIndex, type RootImage } from "./image.ts";

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
  return {
    digest: index.digest,
    entries: index.entries,
    directory,
    packages: index.packages,
    read(offset, length) {
      const out = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const n = readSync(fd, out, done, length - done, offset + done);
        if (n === 0) break;
        done += n;
      }
      return out;
    },
    close: () => closeSync(fd),
  };
}
