// Figure 3: the gain against the rate of calls: a curve for calls that all gain the same, and programs beside it.
import * as Plot from "@observablehq/plot";
import { interval } from "../../src/model/interval.ts";
import { figureOf, LOOK, number, type Row, SHADES } from "../figure.ts";
import { PROCESSOR } from "../inputs.ts";
import { type Lab, PriceList } from "../lab.ts";
import { replays } from "../programs.ts";

const machinesOf = (profile: string) => [
  { target: "i386", profile, kernel: "kml-4.0", trap: "sysenter", direct: "kml" },
  { target: "x86-64", profile: "zen4", kernel: "kml-6.18-amd64", trap: "syscall", direct: "kml-amd64" },
];
type Machine = ReturnType<typeof machinesOf>[number];

const LEAST_RATE = 1000;

/** Calls a second, from the least to where a call of each leaves no time for a program. */
function rates(most: number): number[] {
  const steps = 60;
  return Array.from({ length: steps + 1 }, (_, step) => LEAST_RATE * (most / LEAST_RATE) ** (step / steps));
}

/** The curve: at r calls a second that each save s of the clock's cycles, a second becomes 1 - r s / clock. */
function curve(lab: Lab, { target, profile, kernel, trap, direct }: Machine, call: string): Row[] {
  const prices = new PriceList(lab);
  const by = (mechanism: string) => prices.call({ profile, kernel, mechanism }, call);
  const clock = lab.data.profiles.get(profile)!.mhz * 1e6;
  const saved = by(trap).with(by(direct), (a, b) => a - b).interval;
  const most = clock / by(trap).value;
  return rates(most).map((rate) => {
    const speedup = (cycles: number) => 1 / (1 - Math.min(0.99, (rate * cycles) / clock));
    return {
      target,
      what: "curve",
      program: "",
      rate,
      value: speedup(saved.value),
      low: speedup(saved.low),
      high: speedup(saved.high),
    };
  });
}

/** The programs: calls a second of the run by the trap, and the replayed gain. */
function programs(lab: Lab, { target, profile, kernel, trap, direct }: Machine): Row[] {
  const options = { profiles: [profile], kernels: [kernel], mechanisms: [trap, direct] };
  return replays(lab, options).map(({ program, calls, results: [base, gained] }) => ({
    target,
    what: "program",
    program,
    rate: calls / base.seconds,
    ...gained.speedup,
  }));
}

/** The gain in percent of the program that gains most. */
function greatestGain(rows: readonly Row[], target: string) {
  const most = rows
    .filter((row) => row.target === target && row.what === "program")
    .sort((a, b) => Number(b.value) - Number(a.value))[0];
  const percent = (column: string) => 100 * (number(column)(most) - 1);
  return interval(percent("value"), [percent("low"), percent("value"), percent("high")]);
}

/** Where the names of the programs stand: off the curve and off each other. */
const LABELS: readonly { of: readonly string[]; dx: number; dy: number; textAnchor: "middle" | "end" }[] = [
  { of: ["pipe"], dx: 0, dy: -10, textAnchor: "middle" },
  { of: ["forks"], dx: -8, dy: -5, textAnchor: "end" },
  { of: ["find"], dx: -9, dy: -2, textAnchor: "end" },
  { of: ["cp"], dx: -6, dy: -13, textAnchor: "end" },
];

/** The curves at a rate. */
function marked(band: readonly Row[], rate: number): Plot.Markish[] {
  const at = ["i386", "x86-64"].flatMap((target) => {
    const before = band.findLast((row) => row.target === target && number("rate")(row) <= rate);
    return before === undefined ? [] : [before];
  });
  return [
    Plot.ruleX(at, { fx: "target", x: rate, strokeDasharray: "3,2" }),
    Plot.text(at, {
      fx: "target",
      x: rate,
      frameAnchor: "top",
      dx: -5,
      dy: 8,
      textAnchor: "end",
      text: (row: Row) =>
        `${number("value")(row).toFixed(3)} (${number("low")(row).toFixed(3)}–${number("high")(row).toFixed(3)})`,
    }),
  ];
}

export const figure = figureOf({
  number: 3,
  id: "03-call-rate",
  title: "Gain against the rate of calls",
  caption:
    "Speed-up of direct calls over the fast trap (SYSENTER on a Pentium 4 under KML 4.0; SYSCALL on a Zen 4 under a Linux 6.18 with KML's entry for x86-64, which does not exist). Curve: a program whose calls all save what getpid saves, and that does not wait; band: 90 % of the draws. Points: shipped traces, on the x86-64 machine assumed recompiled. A program above the curve has calls that save more than getpid (returns after a long body); one below it has inline traps, waits or faults.",
  inputs: {
    processor: { ...PROCESSOR, label: "processor, i386" },
    call: { label: "calls of the curve", value: "getpid", among: ["getpid", "read", "write", "stat64", "open+close"] },
    rate: { label: "mark calls per second", value: LEAST_RATE, from: LEAST_RATE, to: 2e6, step: 1, log: true },
  },
  run(lab, { processor, call }) {
    const rows = machinesOf(processor).flatMap((machine) => [...curve(lab, machine, call), ...programs(lab, machine)]);
    return {
      rows,
      claims: {
        "lupine-macro": greatestGain(rows, "x86-64"),
        "lupine-macro-i386": greatestGain(rows, "i386"),
      },
    };
  },
  plot(rows, { rate }) {
    const band = rows.filter(({ what }) => what === "curve");
    const points = rows.filter(({ what }) => what === "program");
    return {
      ...LOOK,
      height: 320,
      marginTop: 45,
      marginLeft: 50,
      marginRight: 20,
      marginBottom: 40,
      fx: { label: null, axis: "top", padding: 0.12 },
      x: { label: "system calls per second (log)", type: "log", grid: true, ticks: 4, tickFormat: "~s" },
      y: { label: "speed-up over the trap", grid: true, domain: [1, 2] },
      marks: [
        Plot.areaY(band, {
          fx: "target",
          x: "rate",
          y1: "low",
          y2: "high",
          fill: SHADES.other,
          clip: true,
        }),
        Plot.lineY(band, { fx: "target", x: "rate", y: "value", stroke: SHADES.slow, clip: true }),
        Plot.ruleX(points, { fx: "target", x: "rate", y1: "low", y2: "high" }),
        Plot.dot(points, { fx: "target", x: "rate", y: "value", fill: SHADES.none, stroke: "black", r: 4 }),
        ...LABELS.map(({ of, ...place }) =>
          Plot.text(
            points.filter(({ program }) => of.includes(String(program))),
            {
              fx: "target",
              x: "rate",
              y: "value",
              text: (row: Row) => `${row.program} ${number("value")(row).toFixed(2)}`,
              fontSize: 10,
              ...place,
            },
          ),
        ),
        Plot.ruleY([1]),
        // What the curve says at a rate that a reader marks.
        ...(rate > LEAST_RATE ? marked(band, rate) : []),
      ],
    };
  },
});
