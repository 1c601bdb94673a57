// Figure 11: the ways into the kernel from the 386 to Zen.
import * as Plot from "@observablehq/plot";
import { figureOf, LOOK, number, type Row, SHADE_OF } from "../figure.ts";
import { TRAP_TIMES, TRAPS } from "../inputs.ts";
import { PriceList, short } from "../lab.ts";

const EARLY = { int80: "linux-2.5", sysenter: "linux-2.5", kml: "kml-2003" };
const MACHINES: readonly { name: string; profile: string; ways: Readonly<Record<string, string>> }[] = [
  { name: "386", profile: "i386", ways: { int80: EARLY.int80, kml: EARLY.kml } },
  { name: "486", profile: "i486", ways: { int80: EARLY.int80, kml: EARLY.kml } },
  { name: "Pentium", profile: "pentium", ways: { int80: EARLY.int80, kml: EARLY.kml } },
  { name: "Duron", profile: "k7-lkml2002", ways: EARLY },
  { name: "P4 (2003)", profile: "p4-maeda2003", ways: EARLY },
  { name: "P4 (2002)", profile: "p4-lkml2002", ways: EARLY },
  { name: "Opteron", profile: "opteron-850", ways: { syscall: "kml-2.6.11", "kml-amd64": "kml-2.6.11" } },
  { name: "Xeon", profile: "xeon-ukl2023", ways: { syscall: "ukl-5.14", "ukl-base": "ukl-5.14", ukl: "ukl-5.14" } },
  {
    name: "Zen 4",
    profile: "zen4",
    ways: { syscall: "kml-6.18-amd64", "kml-amd64": "kml-6.18-amd64", ukl: "kml-6.18-amd64" },
  },
];

/** Numbers that stand below their points, off those of their neighbours. */
const BELOW: ReadonlySet<string> = new Set(["sysenter", "kml-amd64", "ukl-base"]);

export const figure = figureOf({
  number: 11,
  id: "11-generations",
  title: "Ways into the kernel from the 386 to Zen",
  caption:
    "Cycles of the way in and out alone, by processor; bars: 90 % of the draws. 386 to Pentium: manual clocks, warm; the others: what is left of measured calls. 386 to Pentium 4 under Linux 2.5 and the KML of 2003, whose direct call changes no stack; the others under the kernels they were measured with or, Zen 4's ring 0, that do not exist.",
  inputs: {
    call: { label: "call (-: the way alone)", value: "-", among: ["-", "getpid", "getppid", "read", "write"] },
    times: TRAP_TIMES,
  },
  run(lab, { call, times }) {
    const prices = new PriceList(lab, new Map(TRAPS.map((key) => [key, times])));
    const way = (profile: string, kernel: string, mechanism: string) =>
      prices.call({ profile, kernel, mechanism }, call);
    const rows = MACHINES.flatMap(({ name, profile, ways }) =>
      Object.entries(ways).map(
        ([mechanism, kernel]): Row => ({
          processor: name,
          profile,
          kernel,
          mechanism,
          ...way(profile, kernel, mechanism).interval,
        }),
      ),
    );
    const over = (from: readonly [string, string], to: readonly [string, string]) =>
      way(from[0], "linux-2.5", from[1]).with(way(to[0], "linux-2.5", to[1]), (a, b) => a / b).interval;
    return {
      rows,
      claims: {
        "torvalds-athlon": over(["p4-maeda2003", "sysenter"], ["k7-lkml2002", "int80"]),
        "kmlab-pentium-to-p4": over(["p4-maeda2003", "int80"], ["pentium", "int80"]),
      },
    };
  },
  plot: (rows, { call }) => ({
    ...LOOK,
    height: 345,
    marginTop: 45,
    marginLeft: 55,
    marginBottom: 62,
    x: { axis: null, domain: ["int80", "sysenter", "syscall", "kml", "kml-amd64", "ukl-base", "ukl"], padding: 0 },
    fx: { label: null, axis: "top", domain: MACHINES.map(({ name }) => name), padding: 0.08 },
    y: {
      label: `cycles, ${call === "-" ? "way in and out" : call} (log)`,
      type: "log",
      domain: [1, Math.max(3000, 1.7 * Math.max(...rows.map(number("high"))))],
      ticks: [1, 10, 100, 1000],
      grid: true,
      tickFormat: short,
    },
    marks: [
      Plot.ruleX(rows, { fx: "processor", x: "mechanism", y1: "low", y2: "high" }),
      Plot.dot(rows, {
        fx: "processor",
        x: "mechanism",
        y: "value",
        fill: (row: Row) => SHADE_OF[row.mechanism],
        stroke: "black",
        r: 4,
      }),
      ...[true, false].map((above) =>
        Plot.text(
          rows.filter(({ mechanism }) => above !== BELOW.has(String(mechanism))),
          {
            fx: "processor",
            x: "mechanism",
            y: above ? "high" : "low",
            dy: above ? -9 : 10,
            fontSize: 8,
            text: (row: Row) => short(Math.round(number("value")(row))),
          },
        ),
      ),
      Plot.text(rows, {
        fx: "processor",
        x: "mechanism",
        y: 1,
        text: "mechanism",
        rotate: -90,
        dy: 4,
        fontSize: 8,
        textAnchor: "end",
      }),
    ],
  }),
});
