// Do the cases, their files and their recording belong together?
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { CASES } from "./cases.ts";
import { fixtureTar } from "./fixture.ts";
import { CASES_FILE, commandHash, FIXTURE_TAR, readRecording } from "./recording.ts";

const recording = readRecording(CASES_FILE)!;
const tar = gunzipSync(readFileSync(FIXTURE_TAR));

it("the committed archive of test files is what its generator makes, and what the native runs saw", () => {
  expect(Buffer.compare(tar, fixtureTar()), "run `npm run record-native`").toBe(0);
  expect(recording.provenance.fixture).toBe(createHash("sha256").update(tar).digest("hex"));
});

it("every case has a recorded native run, and its name once", () => {
  expect(new Set(CASES.map((c) => c.name)).size).toBe(CASES.length);
  const stale = CASES.filter((c) => recording.runs[c.name]?.of !== commandHash(c)).map((c) => c.name);
  expect(stale, "run `npm run record-native`").toEqual([]);
  expect(Object.keys(recording.runs).length).toBe(CASES.length);
});
