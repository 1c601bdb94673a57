// The CPU counts its mix by position, and the trace names the positions: the CPU knows no traces, so that the two lists are
// the same is held here.
import { expect, it } from "vitest";
import { MIX_CLASSES } from "../../../src/emu/cpu/state.ts";
import { CLASSES } from "../../../src/traces/schema/enums.ts";

it("the CPU's instruction classes are the trace's, in its order", () => {
  expect(MIX_CLASSES).toEqual(CLASSES);
});
