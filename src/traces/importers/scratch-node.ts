// Rows of a long import that do not fit the memory: a file of this host's that has no name, so that nothing of it is ever left.
import { randomBytes } from "node:crypto";
import { openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Scratch, Spill } from "./rows.ts";

/** Blocks of each table in memory: 40 MB of events. */
const BLOCKS = 128;

/** Rows go to files in `folder`. */
export function spillTo(folder: string): Spill {
  return { file: () => scratchFile(folder), blocks: BLOCKS };
}

/** A file in `folder`; it is gone when this process is. */
function scratchFile(folder: string): Scratch {
  const path = join(folder, `.kmlab.${randomBytes(6).toString("hex")}.rows`);
  const fd = openSync(path, "wx+", 0o600);
  rmSync(path);
  return {
    write: (at, bytes) => {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
    },
    read: (at, into) => {
      for (let done = 0; done < into.length; ) {
        const got = readSync(fd, into, done, into.length - done, at + done);
        if (got === 0) throw new Error("rows of an import are gone from its scratch file");
        done += got;
      }
    },
  };
}
