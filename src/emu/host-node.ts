// The standard streams of the Node process, for a guest run from the command line.
import { readSync, writeSync } from "node:fs";
import process from "node:process";
import type { HostIo } from "./host.ts";

/** Whether an error says "try again": a non-blocking descriptor without data or room. */
const isAgain = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "EAGAIN";

/** Waits a little without burning the processor, between two tries on a non-blocking descriptor. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
}

/** Writes all of the bytes to a descriptor; a reader that has gone ends kmlab quietly. */
function writeAll(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (isAgain(error)) pause();
      else if (error instanceof Error && "code" in error && error.code === "EPIPE") process.exit(0);
      else throw error;
    }
  }
}

/**
 * The process's own streams.
 * @param open whether standard input is read at all; a run without it sees its end at once, so that it stays reproducible
 */
export function processIo(open: boolean): HostIo {
  return {
    stdin: {
      read(maxBytes) {
        const buffer = new Uint8Array(open ? maxBytes : 0);
        while (buffer.length > 0) {
          try {
            return buffer.subarray(0, readSync(0, buffer, 0, maxBytes, null));
          } catch (error) {
            if (isAgain(error)) pause();
            else if (error instanceof Error && "code" in error && error.code === "EOF") break;
            else throw error;
          }
        }
        return buffer.subarray(0, 0);
      },
    },
    stdout: (bytes) => writeAll(1, bytes),
    stderr: (bytes) => writeAll(2, bytes),
    windowSize: () => ({ rows: process.stdout.rows ?? 24, columns: process.stdout.columns ?? 80 }),
  };
}
