// Figure 1: what one call takes by each way into the kernel, with intervals.
import * as Plot from "@observablehq/plot";
import { figureOf, LOOK, number, type Row, SHADE_OF } from "../figure.ts";
import { PROCESSOR, TRAP_TIMES, TRAPS } from "../inputs.ts";
import { PriceList, short, type Way } from "../lab.ts";

const CALLS = ["getpid", "gettimeofday", "read", "stat64", "open+close"];
/** By era: 2003's three and then those of 4.0. */
const waysOf = (profile: string): readonly (Way & { readonly era: string })[] => [
  { era: "2003", profile: "p4-maeda2003", kernel: "linux-2.5", mechanism: "int80" },
  { era: "2003", profile: "p4-maeda2003", kernel: "linux-2.5", mechanism: "sysenter" },
  { era: "2003", profile: "p4-maeda2003", kernel: "kml-2003", mechanism: "kml" },
  { era: "4.0", profile, kernel: "kml-4.0", mechanism: "int80" },
  { era: "4.0", profile, kernel: "kml-4.0", mechanism: "sysenter" },
  { era: "4.0", profile, kernel: "kml-4.0", mechanism: "kml" },
];

export const figure = figureOf({
  number: 1,
  id: "01-latency",
  title: "One call by each way into the kernel",
  caption:
    "Cycles of one call that does the least, Pentium 4: above under the kernels of the Kernel Mode Linux article of 2003, below under Kernel Mode Linux 4.0 (envelope of two Pentium 4). Bars: 90 % of the draws of every cost. getpid above and gettimeofday by kml are what the costs were fitted on.",
  inputs: { processor: { ...PROCESSOR, label: "processor below" }, times: TRAP_TIMES },
  run(lab, { processor, times }) {
    const prices = new PriceList(lab, new Map(TRAPS.map((key) => [key, times])));
    const ways = waysOf(processor);
    const drawn = (way: Way, call: string) => prices.call(way, call);
    const ratio = (call: string, base: Way, way: Way) =>
      drawn(base, call).with(drawn(way, call), (a, b) => a / b).interval;
    const rows = ways.flatMap(({ era, ...way }) =>
      CALLS.map((call): Row => ({ era, ...way, call, ...drawn(way, call).interval })),
    );
    return {
      rows,
      claims: {
        "kml2003-gettimeofday": ratio("gettimeofday", ways[1], ways[2]),
        "kml2003-gettimeofday-trap": drawn(ways[1], "gettimeofday").interval,
        "kml2003-getpid-in-4.0": ratio("getpid", ways[4], ways[5]),
      },
    };
  },
  plot: (rows) => ({
    ...LOOK,
    height: 360,
    marginTop: 45,
    marginLeft: 55,
    marginRight: 75,
    marginBottom: 25,
    x: { axis: null, domain: ["int80", "sysenter", "kml"] },
    fx: { label: null, axis: "top", domain: CALLS },
    fy: { label: null, axis: "right", domain: ["2003", "4.0"], tickFormat: (era: string) => `KML ${era}` },
    y: {
      label: "cycles per call (log)",
      type: "log",
      domain: [5, Math.max(20_000, 2 * Math.max(...rows.map(number("high"))))],
      grid: true,
      tickFormat: short,
      ticks: [10, 100, 1000, 10_000],
    },
    marks: [
      Plot.barY(rows, {
        fx: "call",
        fy: "era",
        x: "mechanism",
        y1: 5,
        y2: "value",
        fill: (row: Row) => SHADE_OF[row.mechanism],
      }),
      Plot.ruleX(rows, { fx: "call", fy: "era", x: "mechanism", y1: "low", y2: "high", stroke: "black" }),
      Plot.tickY(rows, { fx: "call", fy: "era", x: "mechanism", y: "low", inset: 9 }),
      Plot.tickY(rows, { fx: "call", fy: "era", x: "mechanism", y: "high", inset: 9 }),
      Plot.text(rows, {
        fx: "call",
        fy: "era",
        x: "mechanism",
        y: "high",
        text: (row: Row) => short(Math.round(number("value")(row))),
        dy: -7,
        fontSize: 9,
      }),
      Plot.text(
        rows.filter(({ era }) => era === "4.0"),
        { fx: "call", fy: "era", x: "mechanism", y: 5, text: "mechanism", dy: 9, fontSize: 8 },
      ),
    ],
  }),
});
