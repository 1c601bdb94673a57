// Figure 9: with less and less memory, what a program waits for, how long it takes, and what is left of the gain.
import * as Plot from "@observablehq/plot";
import { framesFor } from "../../src/model/memory-counterfactual.ts";
import { readTable } from "../../src/model/table.ts";
import { isResult, whatif } from "../../src/model/whatif.ts";
import { PAGING_TRACE } from "../../src/shipped-traces.ts";
import { figureOf, LOOK, number, type Row, SHADES } from "../figure.ts";
import type { Lab } from "../lab.ts";

const TRACE = `${PAGING_TRACE.name}-ring3`;
const MIB = 2 ** 20;
/** Frames a mebibyte. */
const FRAMES = 256;
const PLACE = { profiles: ["p4"], kernels: ["kml-4.0"], mechanisms: ["sysenter", "kml"] };
/** All that the program uses fits in the largest, less than two thirds of it beside the kernel in the other. */
const [AMPLE_MIB, SCARCE_MIB] = [64, 8];

/** Each panel shows four decades from this value on. */
const DECADES = 4;
const PANELS = { "waits for the disk": 1, "time (s)": 0.01, "gain of kml (%)": 0.001 } as const;
type Panel = keyof typeof PANELS;

/** The emulator's own runs of the program (npm run record-memory-runs). */
function seen(lab: Lab): Row[] {
  return readTable("memory-runs.csv", lab.file("memory-runs.csv")).flatMap((row) => {
    const by = { by: `emulator, ring ${row.text("ring")}`, memory: row.required("memory_mib") };
    const at = (panel: Panel, value: number): Row => ({ panel, ...by, value, low: value, high: value });
    return [
      at("waits for the disk", row.required("file_reads") + row.required("swap_reads")),
      at("time (s)", row.required("ns") / 1e9),
    ];
  });
}

/** What the model makes, with so much memory, of the capture in ample memory. */
function replayed(lab: Lab, memory: number): Row[] {
  const trace = lab.trace(TRACE);
  return lab.kept(`memory ${memory}`, () => {
    const machine = { memory: framesFor(memory * MIB) / FRAMES, reclaim: "linux-4.0" };
    const answer = whatif(trace, lab.data, { ...PLACE, machine, draws: lab.draws, seed: lab.seed });
    const [trap, kml] = answer.mechanisms.filter(isResult);
    const { file, swap, calls } = answer.memory!.faults;
    const at = (panel: Panel, by: string, value: number, low = value, high = value): Row => ({
      panel,
      by,
      memory,
      value,
      low,
      high,
    });
    const percent = (ratio: number) => 100 * (ratio - 1);
    const { value, low, high } = kml.speedup;
    return [
      at("waits for the disk", "model", file + swap + calls),
      at("time (s)", "model, sysenter", trap.seconds),
      at("time (s)", "model, kml", kml.seconds),
      at("gain of kml (%)", "model", percent(value), percent(low), percent(high)),
    ];
  });
}

/** The value of the one row that there is of something. */
function only(rows: readonly Row[], panel: Panel, by: string, memory: number): Row {
  return rows.find((row) => row.panel === panel && row.by === by && row.memory === memory)!;
}

export const figure = figureOf({
  number: 9,
  id: "09-memory",
  title: "Memory against faults and time",
  caption:
    "A table of 11 MiB and 4 000 lookups in it, on machines with 6 to 64 MiB. Lines: the model by SYSENTER (dark) and kml (light, over it), from one capture in 64 MiB, with the lists of Linux 4.0 and a disk of 4 ms (Pentium 4, KML 4.0); bar: 90 % of the draws of the costs, the disk's times fixed. Points: the emulator's own runs in so much memory, on its own clock. When the program waits for the disk is predicted; how often is an order of magnitude, as most waits are of pages that a few frames more would have kept.",
  traces: [TRACE],
  inputs: {
    memory: { label: "an amount of memory more (MiB)", value: 9, from: 6, to: 64, step: 0.5, log: true },
  },
  run(lab, chosen) {
    const points = seen(lab);
    const sizes = [...new Set([...points.map(number("memory")), chosen.memory])].sort((a, b) => a - b);
    const rows = [...sizes.flatMap((memory) => replayed(lab, memory)), ...points];
    const [ample, scarce] = [AMPLE_MIB, SCARCE_MIB].map((memory) => only(rows, "gain of kml (%)", "model", memory));
    const part = (a: string, b: string) => number(a)(scarce) / number(b)(ample);
    const most = Math.max(
      ...points
        .filter(({ by, panel }) => panel === "waits for the disk" && by === "emulator, ring 3")
        .map(({ memory, value }) => {
          const direct = only(points, "waits for the disk", "emulator, ring 0", Number(memory));
          return Number(value) === 0 ? 0 : 100 * Math.abs(Number(direct.value) / Number(value) - 1);
        }),
    );
    return {
      rows,
      claims: {
        "kmlab-paging-gain": { value: part("value", "value"), low: part("low", "high"), high: part("high", "low") },
        "kmlab-paging-rings": { value: most, low: most, high: most },
      },
    };
  },
  plot(rows) {
    const height = (column: string) => (row: Row) =>
      Math.max(0, Math.min(DECADES, Math.log10(number(column)(row) / PANELS[row.panel as Panel])));
    const at = { fx: "panel", x: "memory" } as const;
    const lines = rows.filter(({ by }) => String(by).startsWith("model"));
    const points = rows.filter(({ by }) => String(by).startsWith("emulator"));
    const shade = (row: Row) =>
      String(row.by).endsWith("kml") || row.panel === "gain of kml (%)" ? SHADES.none : SHADES.fast;
    const ticks = Object.entries(PANELS).flatMap(([panel, least]) =>
      Array.from({ length: DECADES + 1 }, (_, decade) => ({ panel, decade, value: least * 10 ** decade })),
    );
    const [least] = rows.map(number("memory")).sort((a, b) => a - b);
    const legend = [{ panel: "waits for the disk" }];
    return {
      ...LOOK,
      height: 300,
      marginTop: 45,
      marginLeft: 50,
      marginRight: 15,
      marginBottom: 40,
      fx: { label: null, axis: "top", domain: Object.keys(PANELS), padding: 0.25 },
      x: { label: "memory (MiB, log)", type: "log", ticks: [6, 8, 12, 16, 32, 64], tickFormat: String },
      y: { axis: null, domain: [0, DECADES] },
      marks: [
        Plot.ruleY(ticks, { fx: "panel", y: "decade", strokeOpacity: 0.1 }),
        Plot.text(ticks, {
          fx: "panel",
          x: () => least,
          y: "decade",
          dx: -6,
          textAnchor: "end",
          text: ({ panel, decade, value }) =>
            panel === "waits for the disk" && decade === 0 ? "0–1" : String(Number(value.toPrecision(1))),
        }),
        Plot.ruleX(
          lines.filter(({ low, high }) => low !== high),
          { ...at, y1: height("low"), y2: height("high") },
        ),
        Plot.lineY(lines, { ...at, y: height("value"), z: "by", stroke: shade, strokeWidth: 2 }),
        Plot.dot(points, {
          ...at,
          y: height("value"),
          r: 3.5,
          stroke: "black",
          symbol: (row: Row) => (row.by === "emulator, ring 0" ? "times" : "circle"),
        }),
        ...["○ emulator, ring 3", "× emulator, ring 0"].map((word, index) =>
          Plot.text(legend, {
            fx: "panel",
            frameAnchor: "top-right",
            dy: 4 + 14 * index,
            dx: -2,
            text: () => word,
            fontSize: 10,
          }),
        ),
      ],
    };
  },
});
