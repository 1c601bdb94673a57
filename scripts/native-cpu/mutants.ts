// Is every seeded error noticed by the recorded vectors? A mutant is caught by the first vector that comes out otherwise.
import { stepNaive } from "../../src/emu/cpu/interp/naive.ts";
import { type Mutation, meaningOf } from "./mutations.ts";
import { VECTORS, vectorOf } from "./vector-cases.ts";
import type { Recorded } from "./vector-fixture.ts";
import { allGroups } from "./vector-groups.ts";
import { agrees } from "./vector-run.ts";
import type { VectorWorld } from "./vector-world.ts";

/** The vector that catches a mutant, as "group #n", or null. */
export function caughtBy(mutation: Mutation, recorded: Recorded, world: VectorWorld): string | null {
  const meaning = meaningOf(mutation);
  const groups = allGroups().filter((g) => mutation.rows.test(g.form.names[0]) && (mutation.forms?.(g.form) ?? true));
  for (let v = 0; v < VECTORS; v++) {
    for (const group of groups) {
      const hash = recorded.get(group.key)?.[v] ?? 0;
      if (!agrees(world, vectorOf(group, v), hash, (cpu) => void stepNaive(cpu, meaning))) return `${group.key} #${v}`;
    }
  }
  return null;
}
