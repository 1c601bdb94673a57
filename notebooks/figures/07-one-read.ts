// Figure 7: one read() by three ways, cycle by cycle.
import * as Plot from "@observablehq/plot";
import { callRoute } from "../../src/model/routes.ts";
import { figureOf, LOOK, number, type Row, SHADES } from "../figure.ts";
import { PROCESSOR, TRAP_TIMES, TRAPS } from "../inputs.ts";
import { PriceList, short } from "../lab.ts";
import { legend } from "../legend.ts";
import { steps } from "../steps.ts";

const KERNEL = "kml-4.0";
const MECHANISMS = ["int80", "sysenter", "kml"];
const KINDS: Readonly<Record<string, string>> = {
  "entry-hw": "hardware",
  "exit-hw": "hardware",
  body: "work of the call",
  stub: "code",
  save: "code",
  segment: "segment registers",
};
const NAMES = ["hardware", "code", "segment registers", "work of the call"];
const FILLS = [SHADES.slow, SHADES.none, SHADES.fast, SHADES.other];
/** Where each stands in the legend. */
const OFFSETS = [6, 86, 141, 266];
const SHADES_OF = NAMES.map((name, index) => ({ name, fill: FILLS[index], dx: OFFSETS[index] }));
const MARGIN = 65;
const ARGUMENTS = 3;

export const figure = figureOf({
  number: 7,
  id: "07-one-read",
  title: "One read by three ways, cycle by cycle",
  caption:
    "Every step of a read that copies nothing, in the order of data/kernels/paths.csv (entry, work, exit), through the vsyscall page (Pentium 4, KML 4.0); CSV: every instruction class of every path. The work of the call is the same by each way.",
  column: true,
  inputs: { processor: PROCESSOR, times: TRAP_TIMES },
  run(lab, { processor, times }) {
    const list = new PriceList(lab, new Map(TRAPS.map((key) => [key, times])));
    const prices = list.nominal(processor, KERNEL);
    const site = { inline: false, special: false, args: ARGUMENTS, sigreturn: false };
    const rows = MECHANISMS.flatMap((mechanism) => {
      const route = callRoute(prices.routes(mechanism), site);
      return steps(prices, route, ARGUMENTS, prices.leastBody("read")).map(
        (step): Row => ({ mechanism, kind: KINDS[step.cause] ?? step.cause, ...step }),
      );
    });
    const kml = { profile: processor, kernel: KERNEL, mechanism: "kml" };
    const share = list.call(kml, "-").with(list.call(kml, "read"), (a, b) => (100 * a) / b);
    return { rows, claims: { "kmlab-read-way": share.interval } };
  },
  plot(rows, _, wide) {
    const ends = MECHANISMS.map((mechanism) => rows.filter((row) => row.mechanism === mechanism).at(-1)!);
    return {
      ...LOOK,
      height: 210,
      marginTop: 45,
      marginLeft: MARGIN,
      marginRight: 60,
      marginBottom: 40,
      y: { label: null, domain: MECHANISMS, tickSize: 0 },
      x: { label: "cycles since the call", grid: true, tickFormat: short },
      color: { domain: NAMES, range: FILLS },
      marks: [
        Plot.barX(rows, { y: "mechanism", x1: "from", x2: "to", fill: "kind", inset: 0 }),
        Plot.text(ends, {
          y: "mechanism",
          x: "to",
          dx: 6,
          textAnchor: "start",
          text: (row: Row) => short(Math.round(number("to")(row))),
        }),
        ...legend(SHADES_OF, wide - MARGIN),
      ],
    };
  },
});
