// From one capture of a program to the others: what comes with kmlab is predicted, and a trace that does not fit is found out.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { counterfactuals } from "../../src/model/counterfactual.ts";
import { PAGING_TRACE, SHIPPED_TRACES, SHIPPED_WAYS } from "../../src/shipped-traces.ts";
import { readTrace } from "../../src/traces/node.ts";
import { CAUSE, KIND } from "../../src/traces/schema/enums.ts";

const folder = fileURLToPath(new URL("../../data/traces", import.meta.url));
const load = (name: string) => ({ name, trace: readTrace(join(folder, `${name}.kmtrace`)) });
const names = SHIPPED_TRACES.flatMap(({ name }) => SHIPPED_WAYS.map(({ suffix }) => `${name}-${suffix}`));

test("every program that comes with kmlab is there by every way, and nothing else", () => {
  expect(
    readdirSync(folder)
      .filter((name) => name.endsWith(".kmtrace"))
      .sort(),
  ).toEqual([...names, `${PAGING_TRACE.name}-ring3`].map((name) => `${name}.kmtrace`).sort());
});

describe("from the capture by SYSENTER", () => {
  const rows = counterfactuals(names.map(load));

  test("the captures by int 0x80 and in ring 0 follow: ways in, starvation and faults", () => {
    expect(rows.filter(({ holds }) => !holds)).toEqual([]);
    for (const { name } of SHIPPED_TRACES) {
      const of = rows.filter(({ program }) => program === `${name}-ring3`);
      expect(new Set(of.map(({ capture }) => capture))).toEqual(new Set(["int80", "ring0"]));
      const ring0 = of.filter(({ capture }) => capture === "ring0").map(({ what }) => what);
      expect(ring0).toEqual(expect.arrayContaining(["direct", "int80", "minor faults", "starved"]));
    }
  });

  test("there are starved pushes, calls with all registers, handlers and faults that wait for the disk among them", () => {
    for (const what of ["starved", "special", "sigreturn", "major faults", "vdso"])
      expect(rows.filter((row) => row.what === what && row.seen > 0).length, what).toBeGreaterThan(0);
  });
});

test("a ring-0 trace with three per cent more faults does not fit", () => {
  const [ring3, ring0] = [load("forks-ring3"), load("forks-ring0")];
  const { kind, nr, cause } = ring0.trace.events;
  let changed = 0;
  for (let seq = 0; changed < 30; seq++) {
    if (kind[seq] !== KIND.syscall) continue;
    kind[seq] = KIND.fault;
    nr[seq] = 14;
    cause[seq] = CAUSE.anon;
    changed++;
  }
  const failing = counterfactuals([ring3, ring0]).filter(({ holds }) => !holds);
  expect(failing.map(({ what }) => what)).toContain("minor faults");
});
