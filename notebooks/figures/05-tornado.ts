// Figure 5: which costs a speed-up hangs on.
import * as Plot from "@observablehq/plot";
import { sensitivity } from "../../src/model/sensitivity/sensitivity.ts";
import { figureOf, LOOK, number, type Row, SHADES } from "../figure.ts";
import { PROCESSOR, PROGRAM, TRAP, TRAP_NAMES } from "../inputs.ts";

export const figure = figureOf({
  number: 5,
  id: "05-tornado",
  title: "Which costs the gain of find hangs on",
  caption:
    "Speed-up of kml over SYSENTER of the shipped trace find (Pentium 4, KML 4.0), with one cost at a time at each end of its range; the twelve that move it most. Dark: at the low end; light: at the high end.",
  column: true,
  inputs: {
    program: PROGRAM,
    processor: PROCESSOR,
    trap: TRAP,
    shown: { label: "costs shown", value: 12, from: 4, to: 30, step: 1 },
  },
  run(lab, { program, processor, trap }) {
    const trace = lab.trace(`${program}-ring3`);
    const result = lab.kept(`sensitivity ${program} ${processor} ${trap}`, () =>
      sensitivity(trace, lab.data, {
        mechanisms: [trap, "kml"],
        profile: processor,
        kernel: "kml-4.0",
        rows: Math.max(16, lab.draws / 2),
        walks: 4,
        seed: lab.seed,
      }),
    );
    const kml = result.mechanisms.find(({ mechanism }) => mechanism === "kml")!;
    const rows = kml.tornado.map(
      ({ parameter, low, high }, rank): Row => ({ rank: rank + 1, parameter, low, high, value: kml.speedup }),
    );
    const { runs, broken } = result.ordering;
    const share = (100 * broken) / runs;
    return { rows, claims: { "kmlab-order": { value: share, low: share, high: share } } };
  },
  plot(rows, { trap, shown: count }) {
    const shown = rows.slice(0, count);
    const longest = Math.max(...shown.map(({ parameter }) => String(parameter).length));
    const nominal = number("value")(rows[0]);
    return {
      ...LOOK,
      height: 56 + 22 * shown.length,
      marginLeft: Math.max(185, 7 * longest),
      marginRight: 20,
      marginBottom: 40,
      y: { label: null, domain: shown.map(({ parameter }) => parameter), tickSize: 0 },
      x: { label: `speed-up over ${TRAP_NAMES[trap]}`, grid: true },
      marks: [
        Plot.barX(shown, { y: "parameter", x1: nominal, x2: "low", fill: SHADES.slow, inset: 1 }),
        Plot.barX(shown, {
          y: "parameter",
          x1: nominal,
          x2: "high",
          fill: SHADES.none,
          stroke: "black",
          strokeWidth: 0.5,
          inset: 1,
        }),
        Plot.ruleX([nominal]),
      ],
    };
  },
});
