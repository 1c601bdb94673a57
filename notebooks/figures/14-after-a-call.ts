// Figure 14: what a trap costs the program after it, beside what it costs itself.
import * as Plot from "@observablehq/plot";
import type { Interval } from "../../src/model/interval.ts";
import { isResult, type MechanismResult, whatif } from "../../src/model/whatif.ts";
import { PAGING_TRACE, SHIPPED_TRACES } from "../../src/shipped-traces.ts";
import { figureOf, LOOK, number, type Row, SHADES } from "../figure.ts";
import type { Lab } from "../lab.ts";
import { callsOf } from "../programs.ts";

const PLACE = { profiles: ["nehalem-flexsc2010"], kernels: ["linux-2.6.33"], mechanisms: ["syscall", "flexsc"] };
const PROGRAMS = [...SHIPPED_TRACES, PAGING_TRACE].map(({ name }) => name);
const WAY = ["stub", "entry-hw", "save", "segment", "exit-hw"] as const;
/** Of the loss after a call: how deep, how long, from which length of the call on. Longer calls for the whole loss mean less of it. */
const DEPTH = "pollution.depth";
const LENGTH = "pollution.length";
const BODY = "pollution.body";
const PARTS = ["in and out", "after it"];

/** Where the parameters of the loss lie all three at the end that makes it least, at their values, and at the other end. */
function corners(lab: Lab, times: number): ReadonlyMap<string, number>[] {
  const of = (key: string) => {
    const { value, low, high } = lab.data.parameters.get(key)!;
    return [low ?? value!, value!, high ?? value!];
  };
  const [depths, lengths, bodies] = [of(DEPTH), of(LENGTH), of(BODY).toReversed()];
  return depths.map(
    (depth, end) =>
      new Map([
        [DEPTH, depth],
        [LENGTH, lengths[end] * times],
        [BODY, bodies[end]],
      ]),
  );
}

/** The numbers at the corners, the middle one being the value. */
function spread([low, value, high]: readonly number[]): Interval {
  return { value, low: Math.min(low, value, high), high: Math.max(low, value, high) };
}

export const figure = figureOf({
  number: 14,
  id: "14-after-a-call",
  title: "What a call costs the program after it",
  caption:
    "Cycles per call of the shipped traces, recompiled, on a Nehalem under Linux 2.6.33: the way in and out by SYSCALL, and what the program loses after it, as its caches hold the kernel's things. Bars: all parameters of that loss at either end of their ranges; they are read off other programs, at second hand. Right: what leaving calls in batches of 16 gains (FlexSC), when nothing is lost after a batched call but its share.",
  traces: PROGRAMS.map((program) => `${program}-ring3`),
  column: true,
  inputs: {
    times: { label: "length of the loss ×", value: 1, from: 0.1, to: 4, step: 0.1 },
  },
  run(lab, { times }) {
    const conditions = { pollution: true };
    const rows = PROGRAMS.flatMap((program) => {
      const trace = lab.trace(`${program}-ring3`);
      const calls = callsOf(trace);
      const answers = corners(lab, times).map((set) =>
        whatif(trace, lab.data, { ...PLACE, conditions, set, draws: 0 }).mechanisms.filter(isResult),
      );
      const of = (what: (results: readonly MechanismResult[]) => number) => spread(answers.map(what));
      const gain = of(([, batched]) => 100 * (batched.speedup.value - 1));
      const way = of(([trap]) => WAY.reduce((sum, cause) => sum + trap.causes[cause], 0) / calls);
      const after = of(([trap]) => trap.causes.pollution / calls);
      const said = { gain: gain.value, "gain low": gain.low, "gain high": gain.high };
      return [
        { program, calls, part: PARTS[0], ...way, ...said },
        { program, calls, part: PARTS[1], ...after, ...said },
      ] satisfies Row[];
    });
    const ratios = rows
      .filter(({ part }) => part === PARTS[1])
      .map((after, index) => {
        const way = rows[2 * index].value;
        return { value: after.value / way, low: after.low / way, high: after.high / way };
      });
    return { rows, claims: { "flexsc-indirect": ratios.reduce((a, b) => (a.value < b.value ? a : b)) } };
  },
  plot: (rows) => ({
    ...LOOK,
    height: 300,
    marginTop: 30,
    marginLeft: 65,
    marginRight: 130,
    marginBottom: 40,
    fy: { label: null, domain: [...new Set(rows.map(({ program }) => program))], padding: 0.2 },
    y: { axis: null, domain: PARTS },
    x: { label: "cycles per call (log)", type: "log", domain: [10, 3000], grid: true, ticks: 4, tickFormat: "~s" },
    marks: [
      Plot.barX(rows, {
        fy: "program",
        y: "part",
        x1: 10,
        x2: "value",
        fill: ({ part }: Row) => (part === PARTS[0] ? SHADES.fast : SHADES.other),
        stroke: "black",
        strokeWidth: 0.5,
      }),
      Plot.ruleY(
        rows.filter(({ low, high }) => low !== high),
        { fy: "program", y: "part", x1: "low", x2: "high" },
      ),
      Plot.text(
        rows.filter(({ part }) => part === PARTS[0]),
        {
          fy: "program",
          frameAnchor: "right",
          dx: 6,
          textAnchor: "start",
          text: (row: Row) =>
            `${number("gain")(row).toFixed(1)} % (${number("gain low")(row).toFixed(1)}–${number("gain high")(row).toFixed(1)})`,
          fontSize: 9.5,
        },
      ),
      Plot.text(rows.slice(0, 1), {
        fy: "program",
        frameAnchor: "top-right",
        dx: 6,
        dy: -16,
        textAnchor: "start",
        text: () => "gain by batches",
      }),
      ...PARTS.map((part, index) =>
        Plot.text(
          rows.filter((row) => row.program === "find" && row.part === part),
          {
            fy: "program",
            y: "part",
            x: "high",
            dx: 6,
            textAnchor: "start",
            text: () => PARTS[index],
            fontSize: 9,
          },
        ),
      ),
    ],
  }),
});
