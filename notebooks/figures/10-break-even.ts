// Figure 10: how dear may checks in the program be that stand in for the hardware's rings?
import * as Plot from "@observablehq/plot";
import { figureOf, LOOK, number, type Row, SHADES } from "../figure.ts";
import { PROCESSOR, TRAP, TRAP_NAMES } from "../inputs.ts";
import { PriceList } from "../lab.ts";
import { replays } from "../programs.ts";

const RATES = 41;
const KERNEL = "kml-4.0";

/** Per cent, in order. */
const overheads = (chosen: number): number[] => [...new Set([0, 5, 20, chosen])].sort((a, b) => a - b);

export const figure = figureOf({
  number: 10,
  id: "10-break-even",
  title: "Break-even of safety overhead against the rate of calls",
  caption:
    "Lines: speed-up of kml over SYSENTER of a program whose calls are all getpid, when checks make its own code so much slower (Pentium 4, KML 4.0); above 1 kernel mode pays. Points: the overhead in per cent of its own cycles at which each shipped trace breaks even, written beside its speed-up without checks; bars: 90 % of the draws.",
  column: true,
  inputs: {
    processor: PROCESSOR,
    trap: TRAP,
    overhead: { label: "a line more: checks (% of the program's own time)", value: 10, from: 0, to: 60, step: 1 },
  },
  run(lab, { processor, trap: against, overhead: chosen }) {
    const prices = new PriceList(lab);
    const clock = lab.data.profiles.get(processor)!.mhz * 1e6;
    const by = (mechanism: string) => prices.call({ profile: processor, kernel: KERNEL, mechanism }, "getpid").value;
    const [trap, direct] = [by(against), by("kml")];
    const lines = overheads(chosen).flatMap((overhead) =>
      Array.from({ length: RATES }, (_, step): Row => {
        const rate = 1e4 * 300 ** (step / (RATES - 1));
        const user = 1 - (rate * trap) / clock;
        const speedup = 1 / (user * (1 + overhead / 100) + (rate * direct) / clock);
        return {
          what: "line",
          overhead,
          program: "",
          rate,
          value: speedup,
          low: speedup,
          high: speedup,
        };
      }),
    );
    const all = replays(lab, { mechanisms: [against, "kml"], profiles: [processor], kernels: [KERNEL] });
    const points = all.map(({ program, calls, results: [base, kml] }): Row => {
      // Waiting hides checks: a program that idles is no test of them, and its share of user cycles says so.
      const even = (speedup: number) => (100 * (base.total - base.total / speedup)) / kml.causes.user;
      return {
        what: "program",
        program,
        overhead: even(kml.speedup.value),
        "overhead low": even(kml.speedup.low),
        "overhead high": even(kml.speedup.high),
        rate: calls / base.seconds,
        ...kml.speedup,
      };
    });
    const find = points.find(({ program }) => program === "find")!;
    return {
      rows: [...lines, ...points],
      claims: {
        "kmlab-break-even": {
          value: number("overhead")(find),
          low: number("overhead low")(find),
          high: number("overhead high")(find),
        },
      },
    };
  },
  plot(rows, { trap, overhead: chosen }) {
    const lines = rows.filter(({ what }) => what === "line");
    const ends = overheads(chosen).map((overhead) => lines.find((row) => row.overhead === overhead)!);
    const points = rows.filter(({ what }) => what === "program");
    const shown = points.filter((row) => number("rate")(row) >= 1e4);
    return {
      ...LOOK,
      height: 320,
      marginLeft: 50,
      marginRight: 20,
      marginBottom: 40,
      x: {
        label: "system calls per second (log)",
        type: "log",
        grid: true,
        domain: [1e4, 3e6],
        ticks: 4,
        tickFormat: "~s",
      },
      y: {
        label: `speed-up over ${TRAP_NAMES[trap]}`,
        grid: true,
        domain: [Math.min(0.8, 1 / (1 + chosen / 100) - 0.05), 1.5],
      },
      marks: [
        Plot.lineY(lines, { x: "rate", y: "value", z: "overhead", stroke: SHADES.fast, clip: true }),
        Plot.text(ends, {
          x: "rate",
          y: "value",
          dy: -6,
          textAnchor: "start",
          text: (row: Row) => `checks ${row.overhead} %`,
          fontSize: 9,
        }),
        Plot.ruleY([1]),
        Plot.ruleX(shown, { x: "rate", y1: "low", y2: "high" }),
        Plot.dot(shown, { x: "rate", y: "value", fill: SHADES.none, stroke: "black", r: 4 }),
        ...shown.map((point) =>
          Plot.text([point], {
            x: "rate",
            y: "value",
            dx: -8,
            dy: point.program === "cp" ? -24 : -8,
            textAnchor: "end",
            text: (row: Row) => `${row.program}: even at ${number("overhead")(row).toFixed(0)} %`,
          }),
        ),
      ],
    };
  },
});
