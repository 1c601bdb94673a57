// Ctrl-C during kmlab import, of a real process: nothing is left, what was there stays, and the next import starts clean.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, expect, it } from "vitest";
import { kmlab, ROOT } from "./kmlab.ts";

const root = mkdtempSync(join(tmpdir(), "kmlab-interrupt-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const input = join(root, "long.txt");
const folder = join(root, "out");
const output = join(folder, "long.kmtrace");

beforeAll(() => {
  mkdirSync(folder);
  const fd = openSync(input, "w");
  for (let piece = 0; piece < 60; piece++) {
    let text = "";
    for (let line = 0; line < 10_000; line++) {
      const us = String(line * 90).padStart(6, "0");
      text += `7 17000000${String(piece).padStart(2, "0")}.${us} read(3, "", ${line}) = ${line & 31} <0.0000${(line % 90) | 0}>\n`;
    }
    writeSync(fd, text);
  }
  closeSync(fd);
  writeFileSync(join(root, "short.txt"), "7 1.0 getpid() = 7\n");
});

/** Imports the long file and interrupts it as soon as `ready`; its status, and the signal it died of. */
async function interrupted(ready: () => boolean, signal: NodeJS.Signals): Promise<unknown> {
  const child = spawn(process.execPath, [join(ROOT, "bin/kmlab.mjs"), "import", input, "-o", output], {
    stdio: "ignore",
  });
  const ended = once(child, "exit");
  // Without waiting for anything, so that the moment is not missed.
  const end = Date.now() + 120_000;
  while (!ready()) if (Date.now() > end) throw new Error("the import never came that far");
  child.kill(signal);
  return ended;
}

const isWriting = (): boolean => readdirSync(folder).some((name) => name.endsWith(".new"));

it("Ctrl-C while the trace is written leaves nothing", async () => {
  expect(await interrupted(isWriting, "SIGINT")).toEqual([130, null]);
  expect(readdirSync(folder)).toEqual([]);
});

it("Ctrl-C leaves a trace that was there as it was", async () => {
  const short = kmlab(["import", join(root, "short.txt"), "-o", output, "--json"]);
  expect(short.status).toBe(0);
  expect(await interrupted(isWriting, "SIGINT")).toEqual([130, null]);
  expect(readdirSync(folder)).toEqual(["long.kmtrace"]);
  const { meta } = JSON.parse(kmlab(["show", output, "--json"]).stdout);
  expect(meta.id).toBe(JSON.parse(short.stdout).id);
});

it("what a killed import left is gone after the next one, which starts from the beginning", async () => {
  expect(await interrupted(isWriting, "SIGKILL")).toEqual([null, "SIGKILL"]);
  expect(isWriting()).toBe(true);
  expect(kmlab(["import", join(root, "short.txt"), "-o", output]).status).toBe(0);
  expect(readdirSync(folder)).toEqual(["long.kmtrace"]);
});
