// What has been compared with what, counted from the instruction table and the fixtures.

import { isSupported, meaningOf } from "../../src/emu/cpu/compile/meaning.ts";
import type { Cpu } from "../../src/emu/cpu/cpu.ts";
import { instructionSet } from "../../src/emu/cpu/isa/table.ts";
import { VECTORS, vectorOf } from "./vector-cases.ts";
import type { Recorded } from "./vector-fixture.ts";
import { allGroups, type Group, whyNot } from "./vector-groups.ts";
import { opOf } from "./vector-masks.ts";
import { byInterpreter, byOracle, emulate } from "./vector-run.ts";
import { VectorWorld } from "./vector-world.ts";

export interface Coverage {
  /** Distinct encodings x operand forms that ring 3 can compare, and those compared. */
  readonly comparablePairs: number;
  readonly comparedPairs: number;
  /** Pairs x prefixes. */
  readonly groups: number;
  readonly vectors: number;
  readonly undecided: number;
  /** Forms of the table (a row at one operand size). */
  readonly forms: number;
  readonly excludedForms: number;
  /** Forms that ended without a fault at least once, by engine. */
  readonly byInterpreter: number;
  readonly byOracle: number;
  /** Forms that regions in WebAssembly do by themselves; the others are left to the interpreter. */
  readonly byRegions: number;
}

/** An encoding and operand form: a group without its prefix. */
function pairOf(group: Group): string {
  return group.key.slice(0, group.key.lastIndexOf(" "));
}

function executed(groups: readonly Group[], step: (cpu: Cpu) => void): number {
  const world = new VectorWorld();
  const done = new Set<number>();
  for (const group of groups) {
    for (let v = 0; v < VECTORS && !done.has(group.form.id); v += 5) {
      const out = emulate(world, vectorOf(group, v), step);
      if (out !== null && out.trap < 0) done.add(group.form.id);
    }
  }
  return done.size;
}

function inRegions(groups: readonly Group[]): number {
  const done = new Set<number>();
  for (const group of groups) {
    if (done.has(group.form.id)) continue;
    const op = opOf(vectorOf(group, 0));
    if (op !== null && op.form === group.form && isSupported(op, meaningOf(op))) done.add(group.form.id);
  }
  return done.size;
}

/** Count. */
export function coverage(recorded: Recorded): Coverage {
  const groups = allGroups();
  const compared = new Set<string>();
  let vectors = 0;
  for (const group of groups) {
    const decided = recorded.get(group.key)?.filter((hash) => hash !== 0).length ?? 0;
    vectors += decided;
    if (decided > 0) compared.add(pairOf(group));
  }
  return {
    comparablePairs: new Set(groups.map(pairOf)).size,
    comparedPairs: compared.size,
    groups: groups.length,
    vectors,
    undecided: groups.length * VECTORS - vectors,
    forms: instructionSet.forms.length,
    excludedForms: instructionSet.forms.filter((form) => whyNot(form) !== null).length,
    byInterpreter: executed(groups, byInterpreter),
    byOracle: executed(groups, byOracle),
    byRegions: inRegions(groups),
  };
}
