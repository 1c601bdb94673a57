// The comparison of every case with its native run, one way into the kernel: a file per way calls it, so that they run side by side.
import { readFileSync } from "node:fs";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Kernel } from "../../src/emu/kernel/kernel.ts";
import { type OpenImage, openImage } from "../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../src/emu/rootfs/roots-node.ts";
import { kept, noting } from "../guest/open-files.ts";
import { CASES } from "./cases.ts";
import { imageTree, imageWithFiles, runGuest, type Way } from "./guest.ts";
import { differences } from "./outcome.ts";
import { CASES_FILE, FIXTURE_TAR, readRecording } from "./recording.ts";

/** The base root; without it, registers a test that says so, and fails under CI. */
export async function baseRoot(what: string): Promise<OpenImage | undefined> {
  try {
    return openImage((await ensureRoot("base")).directory);
  } catch (error) {
    const reason = `no packages to run: ${(error as Error).message}`;
    it(`${what} need the base root`, (context) => {
      if (process.env["CI"]) expect.fail(reason);
      context.skip(reason);
    });
    return undefined;
  }
}

/** Registers a test per case, or per n-th case. */
export async function compareCases(way: Way, every = 1): Promise<void> {
  const base = await baseRoot("the cases");
  if (base === undefined) return;
  const recording = readRecording(CASES_FILE)!;
  const image = imageWithFiles(base, gunzipSync(readFileSync(FIXTURE_TAR)));
  const before = imageTree(image);

  it("the native runs were recorded over this very root", () => {
    expect(recording.provenance.root, "run `npm run record-native`").toBe(base.digest);
  });

  describe(way.name, () => {
    it.each(CASES.filter((_, index) => index % every === 0))("$name", (c) => {
      const { of: _, ...native } = recording.runs[c.name];
      let kernel: Kernel | undefined;
      const { result, ledger } = noting(() =>
        runGuest(image, before, c, way, (k) => {
          kernel = k;
        }),
      );
      expect(differences(native, result)).toEqual([]);
      expect(kept(kernel!, ledger)).toEqual([]);
      expect(kernel!.memory.ramBytes).toBe((way.memoryMiB ?? 256) << 20);
    });
  });
}
