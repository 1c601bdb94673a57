// Packed files are unpacked while they are read: whole, of several members, cut off, damaged, and of formats that Node does not know.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as zlib from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { importTrace } from "../../../src/traces/importers/import.ts";
import { textFile } from "../../../src/traces/importers/text-node.ts";
import { calls, sampleBytes, snapshot, source } from "./samples.ts";

const root = mkdtempSync(join(tmpdir(), "kmlab-packed-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const sample = sampleBytes("strace-edge-ttt-T.txt");
const whole = snapshot(importTrace([source("x.txt", sample)], calls));

function written(name: string, bytes: Uint8Array): string {
  const path = join(root, name);
  writeFileSync(path, bytes);
  return path;
}

const imported = (path: string): string => snapshot(importTrace([textFile(path)], calls));

describe("a packed file", () => {
  it("reads as the file in it does, one member or two", () => {
    expect(imported(written("one.gz", zlib.gzipSync(sample)))).toBe(whole);
    const parts = [sample.slice(0, 1000), sample.slice(1000)].map((part) => zlib.gzipSync(part));
    expect(imported(written("two.gz", Buffer.concat(parts)))).toBe(whole);
  });

  it("may hold more than the ring between the threads", () => {
    const line = '7 1.000000 write(1, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 44) = 44 <0.000001>\n';
    const count = 100_000;
    const path = written("long.gz", zlib.gzipSync(line.repeat(count), { level: 1 }));
    expect(importTrace([textFile(path)], calls).report).toMatchObject({ lines: count, events: count });
  });

  it("that is cut off or damaged is refused in one line", () => {
    const packed = zlib.gzipSync(sample);
    const cut = written("cut.gz", packed.subarray(0, packed.length - 200));
    expect(() => imported(cut)).toThrow(/cut\.gz: its packed data is damaged or cut off \(Z_BUF_ERROR\)/);
    const bad = written("bad.gz", sample);
    expect(() => imported(bad)).toThrow(/bad\.gz: its packed data is damaged or cut off \(Z_DATA_ERROR\)/);
    expect(() => imported(join(root, "none.gz"))).toThrow(/none\.gz: there is no such file/);
  });

  it("that Node does not unpack is refused with the command that does", () => {
    expect(() => imported(written("x.xz", sample))).toThrow(/xz -dc .*x\.xz \| kmlab import -/);
    const zstd = (zlib as { zstdCompressSync?: (bytes: Uint8Array) => Buffer }).zstdCompressSync;
    const path = written("x.zst", zstd?.(sample) ?? sample);
    if (zstd === undefined) expect(() => imported(path)).toThrow(/zstd -dc .*x\.zst \| kmlab import -/);
    else expect(imported(path)).toBe(whole);
  });
});
