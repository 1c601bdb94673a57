// Packed files unpacked piece by piece while they are read: another thread does it with Node's zlib, and hands over bytes in a ring
// of shared memory, since whoever reads lines cannot wait for events.
import { Worker } from "node:worker_threads";
import * as zlib from "node:zlib";
import { InputError } from "../errors.ts";

const RING = 1 << 22;
/** Words of the ring's state: bytes put in and bytes taken out, both modulo 2^32. */
const PUT = 0;
const TAKEN = 1;
/** 1 at the end, 2 after a failure, whose text is as long as MESSAGE says. */
const ENDED = 2;
const MESSAGE = 3;
/** Counts what the thread has done: to be waited on. */
const NEWS = 4;
const STATE_BYTES = 32;
const MESSAGE_BYTES = 256;

/** What the thread runs: Node loads a text as a script, wherever the rest of kmlab was bundled to. */
const THREAD = `
const { createReadStream } = require("node:fs");
const zlib = require("node:zlib");
const { path, create, buffer, ring: size } = require("node:worker_threads").workerData;
const state = new Int32Array(buffer, 0, 8);
const message = new Uint8Array(buffer, ${STATE_BYTES}, ${MESSAGE_BYTES});
const ring = new Uint8Array(buffer, ${STATE_BYTES + MESSAGE_BYTES}, size);
function put(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const taken = Atomics.load(state, ${TAKEN});
    const free = size - ((state[${PUT}] - taken) >>> 0);
    if (free === 0) { Atomics.wait(state, ${TAKEN}, taken); continue; }
    const place = (state[${PUT}] >>> 0) % size;
    const count = Math.min(bytes.length - at, free, size - place);
    ring.set(bytes.subarray(at, at + count), place);
    at += count;
    Atomics.add(state, ${PUT}, count);
    news();
  }
}
function news() { Atomics.add(state, ${NEWS}, 1); Atomics.notify(state, ${NEWS}); }
function end(how) { Atomics.store(state, ${ENDED}, how); news(); }
function fail(error) {
  const text = Buffer.from(String(error.code ?? error.message)).subarray(0, ${MESSAGE_BYTES});
  message.set(text);
  Atomics.store(state, ${MESSAGE}, text.length);
  end(2);
}
const unpacked = createReadStream(path, { highWaterMark: 1 << 18 }).on("error", fail).pipe(zlib[create]({ chunkSize: 1 << 18 }));
unpacked.on("data", put).on("end", () => end(1)).on("error", fail);
`;

/** What unpacks a file of this name, in Node's zlib; undefined: it is not packed. */
function unpacker(path: string): string | undefined {
  if (path.endsWith(".gz")) return "createGunzip";
  if (path.endsWith(".zst")) {
    if ("createZstdDecompress" in zlib) return "createZstdDecompress";
    throw new InputError(`${path}: this version of Node cannot unpack it; zstd -dc ${path} | kmlab import -`);
  }
  if (path.endsWith(".xz")) throw new InputError(`${path}: kmlab cannot unpack it; xz -dc ${path} | kmlab import -`);
  return undefined;
}

/** The unpacked bytes of a packed file, in pieces; undefined: the file is not packed. Throws what reading it threw, by its code. */
export function unpackedPieces(path: string): Iterable<Uint8Array> | undefined {
  const create = unpacker(path);
  return create === undefined ? undefined : piecesOf(path, create);
}

function* piecesOf(path: string, create: string): Iterable<Uint8Array> {
  const buffer = new SharedArrayBuffer(STATE_BYTES + MESSAGE_BYTES + RING);
  const state = new Int32Array(buffer, 0, 8);
  const ring = new Uint8Array(buffer, STATE_BYTES + MESSAGE_BYTES, RING);
  const thread = new Worker(THREAD, { eval: true, workerData: { path, create, buffer, ring: RING } });
  thread.unref();
  try {
    for (;;) {
      const news = Atomics.load(state, NEWS);
      const ended = Atomics.load(state, ENDED);
      const ready = (Atomics.load(state, PUT) - state[TAKEN]) >>> 0;
      if (ready === 0) {
        if (ended === 1) return;
        if (ended === 2) {
          const text = new Uint8Array(buffer, STATE_BYTES, state[MESSAGE]).slice();
          throw Object.assign(new Error(`${path} cannot be unpacked`), { code: new TextDecoder().decode(text) });
        }
        Atomics.wait(state, NEWS, news);
        continue;
      }
      const place = (state[TAKEN] >>> 0) % RING;
      const count = Math.min(ready, RING - place);
      // The decoder of lines takes no shared memory.
      yield ring.slice(place, place + count);
      Atomics.add(state, TAKEN, count);
      Atomics.notify(state, TAKEN);
    }
  } finally {
    void thread.terminate();
  }
}
