// Figure 6: does the gain depend on the quantum and on how many processes there are?
import * as Plot from "@observablehq/plot";
import { makeTrace } from "../../src/model/made-traces.ts";
import { isResult, whatif } from "../../src/model/whatif.ts";
import { figureOf, LOOK, number, type Row } from "../figure.ts";

const QUANTA_US = [20, 50, 100, 500];
const PROCESSES = [1, 2, 4, 8];
/** Calls of all processes together, and the program's instructions before each. */
const CALLS = 8000;

/** With one more, in order. */
const including = (numbers: readonly number[], more: number): number[] =>
  [...new Set([...numbers, more])].sort((a, b) => a - b);

export const figure = figureOf({
  number: 6,
  id: "06-quantum",
  title: "Quantum and number of processes",
  caption:
    "A made load: 8 000 getpid with 1 500 instructions before each, shared by so many processes that take turns (scheduler rr, Pentium 4, KML 4.0). Number: speed-up of kml over SYSENTER; shade: share of the time that goes into changing tasks by kml. Caches that a change of tasks empties are in it only as far as the tables have them.",
  column: true,
  inputs: {
    quantum: { label: "a quantum more (us)", value: 2000, from: 10, to: 10_000, step: 10, log: true },
    processes: { label: "a number of processes more", value: 16, from: 1, to: 32, step: 1 },
    user: { label: "instructions before a call", value: 1500, from: 100, to: 10_000, step: 100, log: true },
  },
  run(lab, chosen) {
    const rows = including(PROCESSES, chosen.processes).flatMap((processes) => {
      const events = Array.from({ length: CALLS }, (_, index) => ({ task: index % processes, user: chosen.user }));
      const trace = makeTrace({ tasks: processes, events });
      return including(QUANTA_US, chosen.quantum).map((quantum): Row => {
        const [trap, kml] = whatif(trace, lab.data, {
          mechanisms: ["sysenter", "kml"],
          profiles: ["p4"],
          kernels: ["kml-4.0"],
          machine: { scheduler: "rr" },
          set: new Map([["quantum_us", quantum]]),
          draws: 0,
        }).mechanisms.filter(isResult);
        const switching = kml.causes.switch + kml.causes["mm-switch"];
        return {
          processes,
          "quantum (us)": quantum,
          speedup: trap.total / kml.total,
          "switching (%)": (100 * switching) / kml.total,
          switches: kml.switches,
        };
      });
    });
    const gains = rows.map((row) => 100 * (number("speedup")(row) - 1));
    const spread = Math.max(...gains) - Math.min(...gains);
    return { rows, claims: { "kmlab-quantum": { value: spread, low: spread, high: spread } } };
  },
  plot: (rows, { quantum, processes }) => ({
    ...LOOK,
    height: 280,
    marginLeft: 55,
    marginRight: 20,
    marginBottom: 40,
    x: { label: "quantum (us)", type: "band", domain: including(QUANTA_US, quantum), tickSize: 0, tickFormat: String },
    y: { label: "processes", type: "band", domain: including(PROCESSES, processes), tickSize: 0 },
    color: { type: "linear", range: ["#ffffff", "#b9c2c9"] },
    marks: [
      Plot.cell(rows, { x: "quantum (us)", y: "processes", fill: "switching (%)", stroke: "black", strokeWidth: 0.5 }),
      Plot.text(rows, {
        x: "quantum (us)",
        y: "processes",
        text: (row: Row) => `${number("speedup")(row).toFixed(3)}\n${number("switching (%)")(row).toFixed(1)} %`,
      }),
    ],
  }),
});
