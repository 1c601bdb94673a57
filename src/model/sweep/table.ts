// The table of a sweep: a row a run, every parameter a column, then what came out.
import Papa from "papaparse";
import { RESULT_COLUMNS, type Result } from "./evaluate.ts";
import type { Value } from "./expression.ts";
import { MECHANISM, type Plan, type Point } from "./plan.ts";

/** Columns of the parameters: the run's number first, the mechanism last. */
export function parameterColumns({ columns }: Plan): string[] {
  return ["run", ...columns, MECHANISM];
}

/** One run's parameters by parameterColumns(). */
export function parameters({ columns }: Plan, point: Point, run: Point["runs"][number]): Value[] {
  return [run.number, ...columns.map((name) => point.values.get(name)!), run.mechanism];
}

/** One column of the tables, whose name two kinds of things could have, is a parameter's first. */
function headings(plan: Plan): string[] {
  const own = parameterColumns(plan);
  return [...own, "trace_id", "draws", ...RESULT_COLUMNS.map((name) => (own.includes(name) ? `${name}_result` : name))];
}

/** Rows of the runs that `pick` wants, as CSV. `resultOf` knows every one of them. */
export function sweepCsv(
  plan: Plan,
  traceIds: readonly string[],
  resultOf: (point: Point, index: number) => Result,
  pick: (run: number) => boolean = () => true,
): string {
  const data = plan.points.flatMap((point) =>
    point.runs.flatMap((run, index) =>
      pick(run.number)
        ? [[...parameters(plan, point, run), traceIds[point.trace], plan.draws, ...resultOf(point, index)]]
        : [],
    ),
  );
  return `${Papa.unparse({ fields: headings(plan), data }, { newline: "\n" })}\n`;
}
