// Figure 4: predictions against published and measured numbers; and what simpler estimates make of the programs.
import * as Plot from "@observablehq/plot";
import { compareAll, judge } from "../../src/model/validate.ts";
import { figureOf, LOOK, number, type Row, SHADES } from "../figure.ts";
import { PROCESSOR } from "../inputs.ts";
import { replays } from "../programs.ts";

const PANELS = ["a call", "the saving of a call", "the saving of a program"];
/** Beyond it a point is said at the edge. */
const EDGE = 50;

export const figure = figureOf({
  number: 4,
  id: "04-validation",
  title: "Predictions against published numbers, and simpler estimates against the replay",
  caption:
    "Left and middle: the tested rows of data/validation.csv, which no cost was fitted on; error of the predicted total and of the predicted saving. Right: what Amdahl's rule and a table of counts alone say that each shipped program saves by kml against int 0x80, off the replay (Pentium 4, KML 4.0). Band: ten per cent. Points beyond the axis stand at its edge with their value.",
  inputs: {
    processor: { ...PROCESSOR, label: "processor, right" },
    band: { label: "band (%)", value: 10, from: 1, to: 50, step: 1 },
  },
  run(lab, { processor }) {
    const compared = compareAll(lab.data, lab.file("validation.csv"), true);
    const tested = compared.filter(({ role }) => role === "test");
    const totals = tested.map(
      ({ id, measured, predicted, errorPercent }): Row => ({
        panel: PANELS[0],
        id,
        by: "model",
        cycles: measured,
        predicted,
        percent: errorPercent,
      }),
    );
    const savings = tested.flatMap(({ id, saving }): Row[] =>
      saving === null
        ? []
        : [
            {
              panel: PANELS[1],
              id,
              by: "model",
              cycles: saving.measured,
              predicted: saving.predicted,
              percent: saving.errorPercent,
            },
          ],
    );
    const options = { mechanisms: ["int80", "kml"], profiles: [processor], kernels: ["kml-4.0"], draws: 0 };
    const programs = replays(lab, options).flatMap(({ program, results: [base, kml] }) =>
      (["amdahl", "naive"] as const).map((by): Row => {
        const cycles = base.total - kml.total;
        const predicted = base.total * (1 - 1 / kml[by]);
        return { panel: PANELS[2], id: program, by, cycles, predicted, percent: 100 * (predicted / cycles - 1) };
      }),
    );
    const targets = new Map(judge(compared).map(({ id, found }) => [id, { value: found, low: found, high: found }]));
    return {
      rows: [...totals, ...savings, ...programs],
      claims: {
        "kmlab-total-error": targets.get("total")!,
        "kmlab-saving-error": targets.get("saving")!,
        "kmlab-coverage": targets.get("coverage")!,
      },
    };
  },
  plot(rows, { band }) {
    const shown = rows.map((row): Row => ({ ...row, y: Math.max(-EDGE, Math.min(EDGE, number("percent")(row))) }));
    const symbol = (row: Row) => ({ model: "circle", amdahl: "triangle", naive: "square" })[row.by];
    return {
      ...LOOK,
      height: 300,
      marginTop: 45,
      marginLeft: 50,
      marginBottom: 40,
      marginRight: 28,
      fx: { label: null, axis: "top", domain: PANELS },
      x: { label: "cycles, measured or replayed (log)", type: "log", domain: [1, 3e6], ticks: 4, tickFormat: "~s" },
      y: {
        label: "error of the estimate (%)",
        domain: [-EDGE - 4, EDGE + 4],
        ticks: [-50, -25, -10, 0, 10, 25, 50],
        grid: true,
      },
      symbol: { type: "identity" },
      marks: [
        Plot.rectY(PANELS, { fx: (panel: string) => panel, y1: -band, y2: band, fill: SHADES.other, fillOpacity: 0.6 }),
        Plot.ruleY([0]),
        Plot.dot(shown, {
          fx: "panel",
          x: "cycles",
          y: "y",
          symbol,
          r: 3.5,
          fill: (row: Row) => (row.by === "amdahl" ? SHADES.fast : row.by === "naive" ? "white" : SHADES.none),
          stroke: "black",
        }),
        ...[true, false].map((right) =>
          Plot.text(
            shown.filter(({ by, id }) => by === "amdahl" && right === (id === "cp")),
            {
              fx: "panel",
              x: "cycles",
              y: "y",
              text: (row: Row) =>
                Number(row.percent) > EDGE ? `${row.id} +${number("percent")(row).toFixed(0)} %` : row.id,
              dx: right ? 9 : -8,
              textAnchor: right ? "start" : "end",
              fontSize: 10,
            },
          ),
        ),
        Plot.text([PANELS[2]], {
          fx: (panel: string) => panel,
          frameAnchor: "bottom-left",
          text: () => "▲ Amdahl   □ counts alone",
          dx: 4,
          dy: -18,
        }),
      ],
    };
  },
});
