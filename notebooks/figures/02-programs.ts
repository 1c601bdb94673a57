// Figure 2: what programs gain, and where their cycles go.
import * as Plot from "@observablehq/plot";
import type { Cause } from "../../src/model/causes.ts";
import { interval } from "../../src/model/interval.ts";
import { figureOf, LOOK, number, type Row, SHADES } from "../figure.ts";
import { PROCESSOR } from "../inputs.ts";
import { legend } from "../legend.ts";
import { replays } from "../programs.ts";

/** Causes put together, in the order of the bars. */
const PARTS: Readonly<Record<string, readonly Cause[]>> = {
  program: ["user", "pollution"],
  "way in and out": ["stub", "entry-hw", "save", "segment", "exit-hw", "stack-repair"],
  "work of calls": ["body", "copy"],
  faults: ["fault-path", "fault-body", "starvation"],
  "ticks, switches": ["irq-path", "tick-body", "switch", "mm-switch"],
  waiting: ["idle-io", "idle-timer", "idle-dependency"],
};
/** Where each stands in the legend. */
const OFFSETS = [4, 79, 184, 284, 344, 454];
const FILLS = [SHADES.other, SHADES.none, SHADES.fast, SHADES.slow, "#5b3a77", "#ffffff"];
const NAMES = Object.keys(PARTS);
const SHADES_OF = NAMES.map((name, index) => ({ name, fill: FILLS[index], dx: OFFSETS[index] }));
const MARGIN = 65;
const MECHANISMS = ["int80", "sysenter", "kml"];

/** Cycles of the program by the first mechanism. */
function baseOf(rows: readonly Row[], { program }: Row): number {
  return number("total")(rows.find((row) => row.program === program)!);
}

export const figure = figureOf({
  number: 2,
  id: "02-programs",
  title: "What programs gain, and where their cycles go",
  caption:
    "Shipped traces replayed on a Pentium 4 under Kernel Mode Linux 4.0, in percent of the run by int 0x80; right of each bar the speed-up with 90 % of the draws. The parts are sums of the causes of a replay.",
  inputs: {
    processor: PROCESSOR,
    overhead: { label: "checks in place of rings (% of the program's own time)", value: 0, from: 0, to: 50, step: 1 },
  },
  run(lab, { processor, overhead }) {
    const set = new Map(overhead === 0 ? [] : [["protection.user", 1 + overhead / 100]]);
    const place = { profiles: [processor], kernels: ["kml-4.0"], set };
    const all = replays(lab, { ...place, mechanisms: MECHANISMS });
    const rows = all.flatMap(({ program, results }) =>
      results.flatMap(({ mechanism, causes, total, speedup: { value, low, high } }) =>
        NAMES.map((part): Row => {
          const cycles = PARTS[part].reduce((sum, cause) => sum + causes[cause], 0);
          const percent = (100 * cycles) / results[0].total;
          return { program, mechanism, part, cycles, percent, total, speedup: value, low, high };
        }),
      ),
    );
    const direct = replays(lab, { ...place, mechanisms: ["sysenter", "kml"] });
    const gains = direct.map(({ program, results }) => ({ program, ...results[1].speedup }));
    const least = gains.reduce((a, b) => (a.low < b.low ? a : b));
    const pipe = gains.find(({ program }) => program === "pipe")!;
    const percent = (ratio: number) => 100 * (ratio - 1);
    return {
      rows,
      claims: {
        "kml2003-apache": interval(percent(pipe.value), [percent(pipe.low), percent(pipe.high)]),
        "kmlab-all-gain": { value: least.value, low: least.low, high: least.high },
      },
    };
  },
  plot(rows, _, wide) {
    const longest = Math.max(...rows.map((row) => number("total")(row) / baseOf(rows, row)));
    const firsts = rows.filter(({ part }) => part === NAMES[0]);
    return {
      ...LOOK,
      height: 385,
      marginTop: 45,
      marginLeft: MARGIN,
      marginRight: 125,
      marginBottom: 40,
      fy: { label: null, axis: null, domain: [...new Set(rows.map(({ program }) => program))], padding: 0.15 },
      y: { label: null, domain: MECHANISMS, tickSize: 0 },
      x: { label: "% of the run by int 0x80", domain: [0, 100 * Math.max(1, longest)], grid: true },
      color: { domain: NAMES, range: FILLS },
      marks: [
        Plot.barX(rows, {
          fy: "program",
          y: "mechanism",
          x: "percent",
          fill: "part",
          stroke: "black",
          strokeWidth: 0.5,
          order: NAMES,
        }),
        Plot.text(firsts, {
          fy: "program",
          y: "mechanism",
          frameAnchor: "right",
          dx: 6,
          textAnchor: "start",
          text: (row: Row) =>
            row.mechanism === "int80"
              ? `${row.program}`
              : `${number("speedup")(row).toFixed(3)} (${number("low")(row).toFixed(2)}–${number("high")(row).toFixed(2)})`,
          fontSize: 9.5,
        }),
        ...legend(SHADES_OF, wide - MARGIN, { fy: "program", of: rows[0] }),
      ],
    };
  },
});
