// Figure 13: is the gain the instruction or the entry code? Where Unikernel Linux and Lupine disagree.
import * as Plot from "@observablehq/plot";
import { figureOf, LOOK, number, type Row, SHADES } from "../figure.ts";
import { TRAP_TIMES, TRAPS } from "../inputs.ts";
import { type Drawn, PriceList, short } from "../lab.ts";
import { legend } from "../legend.ts";

/** Trap, ring 0 through entry code, and past it if the machine was measured so. */
const MACHINES = [
  { name: "Opteron, 2.6.11", profile: "opteron-850", kernel: "kml-2.6.11", ring0: "kml-amd64", past: null },
  { name: "Xeon, 5.14 (UKL)", profile: "xeon-ukl2023", kernel: "ukl-5.14", ring0: "ukl-base", past: "ukl" },
  {
    name: "Coffee Lake, 5.11",
    profile: "coffeelake-unikraft2021",
    kernel: "kml-5.11",
    ring0: "kml-amd64",
    past: "ukl",
  },
  { name: "Zen 4, 6.18", profile: "zen4", kernel: "kml-6.18-amd64", ring0: "kml-amd64", past: "ukl" },
] as const;
const PARTS = ["instruction", "entry code", "the rest"];
const SHADE_OF_PART = [SHADES.none, SHADES.fast, SHADES.other];
const SHADES_OF = PARTS.map((name, index) => ({ name, fill: SHADE_OF_PART[index], dx: 6 + index * 110 }));
const MARGIN = 60;
const CALLS = ["getppid", "read", "write"];

/** Cycles of one call by SYSCALL, in ring 0 through the entry code, and past it. */
function ways(prices: PriceList, { profile, kernel, ring0, past }: (typeof MACHINES)[number], call: string) {
  const by = (mechanism: string): Drawn => prices.call({ profile, kernel, mechanism }, call);
  return { trap: by("syscall"), kept: by(ring0), past: past === null ? by(ring0) : by(past) };
}

const less = (a: Drawn, b: Drawn): Drawn => a.with(b, (x, y) => x - y);
const share = (part: Drawn, of: Drawn): Drawn => part.with(of, (x, y) => (100 * x) / y);

function rowsOf(prices: PriceList): Row[] {
  return MACHINES.flatMap((machine) =>
    CALLS.flatMap((call) => {
      const { trap, kept, past } = ways(prices, machine, call);
      const parts = [less(trap, kept), less(kept, past), past];
      return PARTS.map((part, index): Row => {
        const percent = share(parts[index], trap).interval;
        return { machine: machine.name, call, part, cycles: parts[index].value, ...percent, total: trap.value };
      });
    }),
  );
}

export const figure = figureOf({
  number: 13,
  id: "13-instruction-or-entry",
  title: "The instruction or the entry code",
  caption:
    "One call by SYSCALL taken apart: what goes with the instruction (ring 0, entry code kept: UKL's base, KML's entry for x86-64), what goes with the entry code too (UKL's bypass), and the rest. UKL's machine says the instruction is little; where the entry code is light, or the return after a trap is mispredicted, it is much: that is where Lupine's 40 % can come from. For the Opteron nobody published a way past the entry code. Fitted: getppid of the Xeon, the sums of the others.",
  column: true,
  inputs: { times: TRAP_TIMES },
  run(lab, { times }) {
    const prices = new PriceList(lab, new Map(TRAPS.map((key) => [key, times])));
    const xeon = MACHINES[1];
    const hardware = ["read", "write", "sendto", "recvfrom"].map((call) => {
      const { trap, kept } = ways(prices, xeon, call);
      return share(less(trap, kept), trap).interval;
    });
    const read = ways(prices, xeon, "read");
    const null4 = ways(prices, MACHINES[3], "getpid");
    const nullXeon = ways(prices, xeon, "getpid");
    return {
      rows: rowsOf(prices),
      claims: {
        "ukl-hardware": hardware.reduce((a, b) => (a.high > b.high ? a : b)),
        "ukl-entry-code": less(read.kept, read.past).interval,
        "ukl-read-bypass": read.past.interval,
        "lupine-null": share(less(null4.trap, null4.kept), null4.trap).interval,
        "lupine-null-xeon": share(less(nullXeon.trap, nullXeon.kept), nullXeon.trap).interval,
      },
    };
  },
  plot: (rows, _, wide) => ({
    ...LOOK,
    height: 345,
    marginTop: 45,
    marginLeft: MARGIN,
    marginRight: 195,
    marginBottom: 40,
    fy: { label: null, axis: null, domain: MACHINES.map(({ name }) => name), padding: 0.15 },
    y: { label: null, domain: CALLS, tickSize: 0 },
    x: { label: "% of the call by SYSCALL", domain: [0, 100], grid: true },
    color: { domain: PARTS, range: SHADE_OF_PART },
    marks: [
      Plot.barX(rows, {
        fy: "machine",
        y: "call",
        x: "value",
        fill: "part",
        order: PARTS,
        stroke: "black",
        strokeWidth: 0.5,
      }),
      Plot.text(
        rows.filter(({ part }) => part === "the rest"),
        {
          fy: "machine",
          y: "call",
          x: 100,
          text: (row: Row) => `${short(Math.round(number("total")(row)))} cycles`,
          dx: 6,
          textAnchor: "start",
          fontSize: 10,
        },
      ),
      Plot.text(
        rows.filter(({ part, call }) => part === "the rest" && call === CALLS[1]),
        { fy: "machine", y: "call", x: 100, text: "machine", dx: 78, textAnchor: "start" },
      ),
      ...legend(SHADES_OF, wide - MARGIN, { fy: "machine", of: rows[0] }),
    ],
  }),
});
