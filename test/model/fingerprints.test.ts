// What happens in the replays of the shipped traces is what it was when data/fingerprints.csv was made.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { modelData } from "../../src/model/data-node.ts";
import { Fingerprint, fingerprints, fingerprintTable } from "../../src/model/fingerprint.ts";
import { SHIPPED_TRACES, SHIPPED_WAYS } from "../../src/shipped-traces.ts";
import { readTrace } from "../../src/traces/node.ts";

const file = (name: string): string => fileURLToPath(new URL(`../../data/${name}`, import.meta.url));
const [header, ...kept] = readFileSync(file("fingerprints.csv"), "utf8").trimEnd().split("\n");
const names = SHIPPED_TRACES.flatMap(({ name }) => SHIPPED_WAYS.map(({ suffix }) => `${name}-${suffix}`));
const data = modelData();

test("every shipped trace has its rows, and nothing else has", () => {
  expect([...new Set(kept.map((line) => line.split(",")[0]))].sort()).toEqual([...names].sort());
});

test.each(names)("%s (after a change that is meant: npm run record-fingerprints)", (name) => {
  const made = fingerprintTable(fingerprints(name, readTrace(file(`traces/${name}.kmtrace`)), data)).trimEnd();
  expect(made.split("\n")).toEqual([header, ...kept.filter((line) => line.startsWith(`${name},`))]);
});

describe("a fingerprint", () => {
  const of = (...events: [number, number][]): string => {
    const fingerprint = new Fingerprint();
    for (const [time, task] of events) fingerprint.run(time, 0, task);
    return fingerprint.digest();
  };

  test("changes with time, task, order and number of what happens, beyond 32 bits too", () => {
    const all = [
      of(),
      of([1, 0]),
      of([0, 1]),
      of([1, 0], [2, 0]),
      of([2, 0], [1, 0]),
      of([1 + 2 ** 32, 0]),
      of([1, 0], [1, 0]),
    ];
    expect(new Set(all).size).toBe(all.length);
    for (const digest of all) expect(digest).toMatch(/^[0-9a-f]{16}$/);
  });

  test("tells why somebody stops", () => {
    const [a, b] = [new Fingerprint(), new Fingerprint()];
    a.stop(5, 0, 1, 2, 0);
    b.stop(5, 0, 1, 2, 1);
    expect(a.digest()).not.toBe(b.digest());
  });
});
