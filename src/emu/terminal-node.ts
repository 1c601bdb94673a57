// The process's terminal for a guest with one. The emulator holds its thread, so a worker waits for keys and looks at the window's
// size; both come through shared memory, which the emulator sleeps on while the guest does.
import process from "node:process";
import { Worker } from "node:worker_threads";
import type { HostIo, HostTerminal } from "./host.ts";
import { processIo } from "./host-node.ts";

/** Words of the shared memory; the ring of typed bytes is behind them. */
const WORD = { NEWS: 0, WRITTEN: 1, READ: 2, ENDED: 3, SIZE: 4, WORDS: 5 };
const RING = 65536;
/** How often the worker looks at the window's size. */
const SIZE_MS = 200;

/** The worker. It uses sockets of the event loop, so that the process can end while it waits. */
const READER = `
const { workerData: { shared, WORD, RING, SIZE_MS } } = require("node:worker_threads");
const { openSync } = require("node:fs");
const { ReadStream, WriteStream } = require("node:tty");
const words = new Int32Array(shared, 0, WORD.WORDS);
const ring = new Uint8Array(shared, 4 * WORD.WORDS);
const news = () => {
  Atomics.add(words, WORD.NEWS, 1);
  Atomics.notify(words, WORD.NEWS);
};
const input = new ReadStream(openSync("/dev/tty", "r"));
const take = (bytes) => {
  const written = Atomics.load(words, WORD.WRITTEN);
  const room = RING - ((written - Atomics.load(words, WORD.READ)) >>> 0);
  const n = Math.min(room, bytes.length);
  for (let i = 0; i < n; i++) ring[((written + i) >>> 0) % RING] = bytes[i];
  Atomics.store(words, WORD.WRITTEN, (written + n) | 0);
  if (n > 0) news();
  if (n === bytes.length) return;
  input.pause();
  setTimeout(() => {
    input.resume();
    take(bytes.subarray(n));
  }, 10);
};
const end = () => {
  Atomics.store(words, WORD.ENDED, 1);
  news();
};
input.on("data", take);
input.on("end", end);
input.on("error", end);
const output = new WriteStream(openSync("/dev/tty", "w"));
setInterval(() => {
  output._refreshSize();
  const size = (output.rows << 16) | output.columns;
  if (size === Atomics.load(words, WORD.SIZE)) return;
  Atomics.store(words, WORD.SIZE, size);
  news();
}, SIZE_MS);
`;

/** Raw until the process ends, so that keys and signals reach the guest. */
export function terminalIo(): HostIo {
  process.stdin.setRawMode(true);
  process.on("exit", () => process.stdin.setRawMode(false));
  const shared = new SharedArrayBuffer(4 * WORD.WORDS + RING);
  const words = new Int32Array(shared, 0, WORD.WORDS);
  const ring = new Uint8Array(shared, 4 * WORD.WORDS);
  const [columns, rows] = process.stdout.isTTY ? process.stdout.getWindowSize() : [80, 24];
  words[WORD.SIZE] = (rows << 16) | columns;
  new Worker(READER, { eval: true, workerData: { shared, WORD, RING, SIZE_MS } }).unref();
  let seen = 0;
  const terminal: HostTerminal = {
    poll() {
      seen = Atomics.load(words, WORD.NEWS);
      const read = words[WORD.READ];
      const n = (Atomics.load(words, WORD.WRITTEN) - read) >>> 0;
      if (n === 0) return Atomics.load(words, WORD.ENDED) === 1 ? new Uint8Array(0) : undefined;
      const bytes = Uint8Array.from({ length: n }, (_, i) => ring[((read + i) >>> 0) % RING]);
      Atomics.store(words, WORD.READ, (read + n) | 0);
      return bytes;
    },
    wait(milliseconds) {
      Atomics.wait(words, WORD.NEWS, seen, milliseconds);
    },
    now: () => performance.now(),
    size() {
      const size = Atomics.load(words, WORD.SIZE);
      return { rows: size >>> 16, columns: size & 0xffff };
    },
  };
  return { ...processIo(true), terminal };
}
