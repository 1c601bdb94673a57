// Do Debian's own programs print, return and leave behind in kmlab what they do on a real kernel, whichever way they enter it?
import { readFileSync } from "node:fs";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openImage } from "../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../src/emu/rootfs/roots-node.ts";
import { CASES } from "./cases.ts";
import { fixtureTar } from "./fixture.ts";
import { imageTree, imageWithFiles, runGuest, WAYS } from "./guest.ts";
import { differences } from "./outcome.ts";
import { CASES_FILE, commandHash, FIXTURE_TAR, readRecording } from "./recording.ts";

const recording = readRecording(CASES_FILE);
const tar = gunzipSync(readFileSync(FIXTURE_TAR));

it("the committed archive of test files is what its generator makes", () => {
  expect(Buffer.compare(tar, fixtureTar()), "run `npm run record-native`").toBe(0);
});

it("every case has a recorded native run, and its name once", () => {
  expect(new Set(CASES.map((c) => c.name)).size).toBe(CASES.length);
  const stale = CASES.filter((c) => recording?.runs[c.name]?.of !== commandHash(c)).map((c) => c.name);
  expect(stale, "run `npm run record-native`").toEqual([]);
});

const location = await ensureRoot("base").catch((error: Error) => {
  process.stderr.write(`test/programs: no packages to run: ${error.message}\n`);
  return undefined;
});

if (location === undefined) {
  it("every case needs the base root's packages", (context) => {
    if (process.env["CI"]) expect.fail("no packages to run; under CI that is a failure");
    context.skip("no packages to run");
  });
}

if (location !== undefined) {
  const base = openImage(location.directory);
  const image = imageWithFiles(base, tar);
  const before = imageTree(image);

  it("the native runs were recorded over this very root", () => {
    expect(recording?.provenance.root).toBe(base.digest);
  });

  describe.each(WAYS)("$name", (way) => {
    it.each(CASES)("$name", (c) => {
      const { of: _, ...native } = recording!.runs[c.name];
      expect(differences(native, runGuest(image, before, c, way))).toEqual([]);
    });
  });
}
