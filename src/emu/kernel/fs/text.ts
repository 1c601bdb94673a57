// Files that are text made when they are first read, as seq_file: /proc and /sys.
import { EINVAL } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { SEEK_CUR, SEEK_SET } from "./const.ts";
import type { File, FileOps } from "./file.ts";
import { objectOf, recordBytes } from "./trace.ts";

/** One byte per char: the strings of the kernel are byte strings. */
export function byteArray(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

/** A file whose text is made at the first read, and again after seeking to its beginning. */
export function textOps(textOf: (k: Kernel, t: Task, file: File) => string): FileOps {
  return {
    read: (k, t, file, iter, pos) => {
      const at = pos < 0 ? file.pos : pos;
      if (!file.data || at === 0) file.data = byteArray(textOf(k, t, file));
      const bytes = file.data as Uint8Array;
      const part = bytes.subarray(Math.min(at, bytes.length), Math.min(at + iter.left, bytes.length));
      iter.put(part);
      if (pos < 0) file.pos = at + part.length;
      if (k.recorder.enabled) recordBytes(k, t, objectOf(k, file.inode), at, part.length);
      return part.length;
    },
    llseek: (_k, file, offset, whence) => {
      const to = whence === SEEK_SET ? offset : whence === SEEK_CUR ? file.pos + offset : -1;
      if (to < 0) return -EINVAL;
      file.pos = to;
      return to;
    },
  };
}
