// The standard streams of the Node process, for a guest run from the command line.
import { constants, openSync, readSync, writeSync } from "node:fs";
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

/** Waits without burning the processor. */
function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** The process's terminal for a guest with one: raw until the process ends, so that keys and signals reach the guest. */
export function terminalIo(): HostIo {
  process.stdin.setRawMode(true);
  process.on("exit", () => process.stdin.setRawMode(false));
  // Its own descriptor, so that reading without waiting changes nothing for whoever shares standard input.
  const fd = openSync("/dev/tty", constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  const buffer = new Uint8Array(4096);
  const poll = (): Uint8Array | undefined => {
    try {
      return buffer.slice(0, readSync(fd, buffer, 0, buffer.length, null));
    } catch (error) {
      if (isAgain(error)) return undefined;
      return new Uint8Array(0);
    }
  };
  return { ...processIo(true), terminal: { poll, sleep } };
}
