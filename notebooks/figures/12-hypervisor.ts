// Figure 12: what a hypervisor below the kernel does to the gain.
import * as Plot from "@observablehq/plot";
import { isResult, whatif } from "../../src/model/whatif.ts";
import { figureOf, LOOK, number, type Row, SHADE_OF } from "../figure.ts";
import { PROCESSOR, PROGRAM } from "../inputs.ts";

const BELOW = ["none", "hw", "hw-int", "vmware-bt"];
const MECHANISMS = ["int80", "sysenter", "kml"];

export const figure = figureOf({
  number: 12,
  id: "12-hypervisor",
  title: "The gain under a hypervisor",
  caption:
    "Shipped trace find on a Pentium 4 under KML 4.0, alone on the machine, under hardware virtualization that leaves INT alone (hw) or intercepts it (hw-int), and under one that translates the kernel's code (vmware-bt: programs in ring 0 unknown, nobody measured them). Milliseconds; the number is the speed-up over int 0x80 there, with 90 % of the draws as bars of the time at that speed-up.",
  inputs: { program: PROGRAM, processor: PROCESSOR },
  run(lab, { program, processor }) {
    const trace = lab.trace(`${program}-ring3`);
    const answers = BELOW.map((hypervisor) => {
      const conditions = hypervisor === "none" ? {} : { hypervisor };
      const options = { mechanisms: MECHANISMS, profiles: [processor], kernels: ["kml-4.0"], conditions };
      return { hypervisor, ...whatif(trace, lab.data, { ...options, draws: lab.draws, seed: lab.seed }) };
    });
    const rows = answers.flatMap(({ hypervisor, mechanisms }) =>
      mechanisms.map((entry): Row => {
        const { mechanism } = entry;
        if (!isResult(entry))
          return { hypervisor, mechanism, ms: "", value: "", low: "", high: "", missing: entry.missing };
        return { hypervisor, mechanism, ms: entry.seconds * 1e3, ...entry.speedup, missing: "" };
      }),
    );
    const of = (hypervisor: string) => rows.find((row) => row.hypervisor === hypervisor && row.mechanism === "kml")!;
    const [value, low, high] = ["value", "low", "high"].map((column) => number(column)(of("hw-int")));
    return { rows, claims: { "kmlab-hypervisor": { value, low, high } } };
  },
  plot(rows, { program }) {
    const known = rows.filter(({ missing }) => missing === "");
    const base = (row: Row) =>
      number("ms")(known.find((other) => other.hypervisor === row.hypervisor && other.mechanism === "int80")!);
    const at = (column: string) => (row: Row) => base(row) / number(column)(row);
    const faceted = { fx: "hypervisor", x: "mechanism" } as const;
    return {
      ...LOOK,
      height: 300,
      marginTop: 45,
      marginLeft: 50,
      marginBottom: 30,
      x: { label: null, domain: MECHANISMS, tickSize: 0 },
      fx: { label: null, axis: "top", domain: BELOW },
      y: { label: `time of ${program} (ms)`, grid: true, domain: [0, 1.1 * Math.max(...known.map(number("ms")))] },
      marks: [
        Plot.barY(known, { ...faceted, y: "ms", fill: (row: Row) => SHADE_OF[row.mechanism] }),
        Plot.ruleX(known, { ...faceted, y1: at("low"), y2: at("high") }),
        Plot.text(known, { ...faceted, y: at("low"), dy: -7, text: (row: Row) => number("value")(row).toFixed(2) }),
        Plot.text(
          rows.filter(({ missing }) => missing !== ""),
          { ...faceted, y: 0, dy: -7, text: () => "unknown", fontSize: 9 },
        ),
        Plot.ruleY([0]),
      ],
    };
  },
});
