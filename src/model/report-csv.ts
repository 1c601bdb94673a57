// A what-if answer as CSV: a row for each mechanism on each processor under each kernel; what cannot be had says why.
import Papa from "papaparse";
import { CAUSES } from "./causes.ts";
import { isResult, type WhatIfResult } from "./whatif.ts";

/** Cycles and seconds; empty: not asked for, or not to be had. */
export function whatifCsv(result: WhatIfResult): string {
  const rows = result.mechanisms.map((entry) => {
    const { mechanism, profile, kernel } = entry;
    const head = { trace: result.trace, profile, kernel, mechanism };
    if (!isResult(entry)) return { ...head, missing: entry.missing };
    const { speedup, causes, criticalPath, requests, breakEven } = entry;
    return {
      ...head,
      missing: "",
      base: entry.base,
      total: entry.total,
      seconds: entry.seconds,
      speedup: speedup.value,
      low: speedup.low,
      high: speedup.high,
      amdahl: entry.amdahl,
      naive: entry.naive,
      ...Object.fromEntries(CAUSES.map((cause) => [cause, causes[cause]])),
      ticks: entry.ticks,
      switches: entry.switches,
      blocks: entry.blocks,
      path_program: criticalPath?.program,
      path_kernel: criticalPath?.kernel,
      path_ticks: criticalPath?.ticks,
      path_queued: criticalPath?.queued,
      path_device: criticalPath?.device,
      path_timer: criticalPath?.timer,
      path_dependency: criticalPath?.dependency,
      requests: requests?.count,
      requests_per_second: requests?.perSecond,
      request_p50: requests?.p50,
      request_p99: requests?.p99,
      trap_flips: breakEven?.trap.flips,
      call_rate_flips: breakEven?.callRate?.flips,
      protection_flips: breakEven?.protection?.flips,
    };
  });
  const columns = Object.keys(rows.find((row) => "total" in row) ?? rows[0]);
  return Papa.unparse(rows, { columns, newline: "\n" });
}
