// A sensitivity answer as tables for people; the last line says whether the ordering of the mechanisms is sure.
import { limitLines } from "../../traces/limits.ts";
import { recompiledLines } from "../recompiled.ts";
import { align, grouped } from "../text.ts";
import type { Parameter } from "./parameters.ts";
import type { Bar, MechanismSensitivity, SensitivityResult } from "./sensitivity.ts";

/** Lines of each table. */
const SHOWN = 12;

/** Characters of a bar. */
const BAR = 31;

/** A number with as many digits as tell something. */
function short(value: number): string {
  return Math.abs(value) >= 100 ? grouped(value) : `${Number(value.toPrecision(3))}`;
}

function rangeText({ ranges }: Parameter): string {
  return ranges.map(({ low, high }) => `${short(low)}..${short(high)}`).join(", ");
}

/** A bar from low to high on a scale that all bars share, with a mark at the nominal value. */
function drawn({ low, high }: Bar, nominal: number, from: number, to: number): string {
  const at = (value: number): number => Math.round(((value - from) / (to - from || 1)) * (BAR - 1));
  const [left, right] = [Math.min(low, high, nominal), Math.max(low, high, nominal)].map(at);
  return Array.from({ length: BAR }, (_, i) => {
    if (i === at(nominal)) return "|";
    return i >= left && i <= right ? "=" : " ";
  }).join("");
}

function tornado(result: SensitivityResult, of: MechanismSensitivity): string[] {
  const bars = of.tornado.slice(0, SHOWN);
  const ends = [of.speedup, ...bars.flatMap(({ low, high }) => [low, high])];
  const [from, to] = [Math.min(...ends), Math.max(...ends)];
  const parameters = new Map(result.parameters.map((parameter) => [parameter.name, parameter]));
  const rows = bars.map((bar) => {
    const parameter = parameters.get(bar.parameter);
    return [
      `  ${bar.parameter}`,
      parameter === undefined ? "" : rangeText(parameter),
      bar.low.toFixed(4),
      drawn(bar, of.speedup, from, to),
      bar.high.toFixed(4),
    ];
  });
  return [
    `${of.mechanism} over ${result.base}: ${of.speedup.toFixed(4)}x; with one parameter at its low and at its high end`,
    ...align([["  parameter", "range", "at low", "", "at high"], ...rows]),
  ];
}

function screening(of: MechanismSensitivity): string[] {
  const rows = of.morris
    .filter(({ muStar }) => muStar > 0)
    .slice(0, SHOWN)
    .map(({ parameter, muStar, sigma }) => [`  ${parameter}`, muStar.toFixed(5), sigma.toFixed(5)]);
  if (rows.length === 0) return [];
  return ["Morris: change of the speed-up over a whole range", ...align([["  parameter", "mu*", "sigma"], ...rows])];
}

function shares(of: MechanismSensitivity): string[] {
  if (of.sobol.length === 0) return ["Sobol: the speed-up does not vary"];
  const share = ({ value, low, high }: { value: number; low: number; high: number }): string[] => [
    value.toFixed(3),
    `${low.toFixed(3)}..${high.toFixed(3)}`,
  ];
  const rows = of.sobol.map(({ factor, first, total }) => [`  ${factor}`, ...share(first), ...share(total)]);
  return [
    `Sobol: shares of the speed-up's variance (standard deviation ${of.deviation.toFixed(4)}), alone and with all others; 90 % of bootstraps`,
    ...align([["  factor", "first", "", "total", ""], ...rows]),
  ];
}

/** Whether the ordering holds, in one line. */
export function orderingText({ order, runs, broken, pairs }: SensitivityResult["ordering"]): string {
  const ordered = order.join(" < ");
  if (broken === 0)
    return `the ordering ${ordered} (time, fastest first) holds for all ${grouped(runs)} sampled parameters`;
  const which = pairs.map(
    (pair) => `${pair.slower} is faster than ${pair.faster} in ${((100 * pair.broken) / runs).toFixed(1)} %`,
  );
  return `the ordering ${ordered} (time, fastest first) does not hold for all ${grouped(runs)} sampled parameters: ${which.join(", ")}`;
}

/** The whole answer as lines. */
export function sensitivityText(result: SensitivityResult): string[] {
  const what = result.argv.length > 0 ? result.argv.join(" ") : `trace ${result.trace.slice(0, 12)}`;
  const lines = [
    `${what}: on ${result.profile}, kernel ${result.kernel}; ${result.parameters.length} parameters matter, seed ${result.seed}`,
    ...recompiledLines(result.recompiled),
    ...limitLines(result.limits, result.source),
    "",
  ];
  for (const of of result.mechanisms) lines.push(...tornado(result, of), "", ...screening(of), "", ...shares(of), "");
  for (const { mechanism, missing } of result.missing) lines.push(`${mechanism} ${missing}`);
  lines.push(orderingText(result.ordering));
  return lines;
}
