// Figure 8: the way of a starved fault, step by step.
import * as Plot from "@observablehq/plot";
import { figureOf, LOOK, number, type Row, SHADES } from "../figure.ts";
import { PROCESSOR } from "../inputs.ts";
import { PriceList, short } from "../lab.ts";
import { steps } from "../steps.ts";

const KERNEL = "kml-4.0";

const sum = (cycles: Float64Array): number => cycles.reduce((all, part) => all + part, 0);

export const figure = figureOf({
  number: 8,
  id: "08-starvation",
  title: "The way of a starved fault, step by step",
  caption:
    "In ring 0 a push on an absent or read-only stack page becomes a double fault (Pentium 4, KML 4.0): a hardware task switch into the handler and one back, its code, which looks for a lost interrupt with six port accesses, and the fault's own way (G). Cycles of each primitive in the order of data/kernels/paths.csv, paths only; what the fault then does comes on top. Steps below 1 % of the sum are in the CSV only.",
  column: true,
  inputs: {
    processor: PROCESSOR,
    port: { label: "port access ×", value: 1, from: 0, to: 2, step: 0.05 },
    task: { label: "task switch of the processor ×", value: 1, from: 0.1, to: 4, step: 0.1 },
  },
  run(lab, { processor, port, task }) {
    const times = { "i.port_io": port, "hw.task_gate": task, "hw.task_jump": task };
    const list = new PriceList(lab, new Map(Object.entries(times)));
    const prices = list.nominal(processor, KERNEL);
    // The double fault comes before the page fault's own way.
    const starved = prices.routes("kml").starved.toReversed();
    const rows = steps(prices, starved, 0, 0).map((step, index): Row => ({ step: index + 1, ...step }));
    const path = (which: "fault" | "starved") =>
      list.of(processor, KERNEL, (drawn) => sum(drawn.paths(drawn.routes("kml")[which])));
    return {
      rows,
      claims: { "kmlab-starvation": path("starved").with(path("fault"), (a, b) => a / b).interval },
    };
  },
  plot(rows) {
    const end = number("to")(rows[rows.length - 1]);
    const cycles = (row: Row) => number("to")(row) - number("from")(row);
    const shown = rows
      .filter((row) => cycles(row) >= end / 100)
      .map((row, index): Row => ({ ...row, name: `${index + 1}. ${row.path}, ${row.phase}: ${row.primitive}` }));
    return {
      ...LOOK,
      height: 60 + 20 * shown.length,
      marginTop: 10,
      marginLeft: 200,
      marginRight: 60,
      marginBottom: 40,
      y: { label: null, domain: shown.map(({ name }) => name), tickSize: 0 },
      x: { label: "cycles since the push", grid: true, ticks: 2, tickFormat: short },
      marks: [
        Plot.barX(shown, {
          y: "name",
          x1: "from",
          x2: "to",
          fill: (row: Row) => (row.path === "starvation" ? SHADES.none : SHADES.fast),
          stroke: "black",
          strokeWidth: 0.5,
        }),
        Plot.text(shown, {
          y: "name",
          x: "to",
          dx: 5,
          textAnchor: "start",
          text: (row: Row) => short(Math.round(cycles(row))),
        }),
      ],
    };
  },
});
