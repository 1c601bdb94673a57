// A trace whose times were scaled to what `time` said of an untraced run (import --anchor): its system time is what all calls take, with
// the page faults and ticks that no tracer of calls shows, and not what the tables make of the calls' bodies. No mechanism changes it but
// for the ways in and out.
import { KIND } from "../traces/schema/enums.ts";
import { systemTimeKnown, type Trace } from "../traces/trace.ts";
import { causesOf, type ShapeCosts } from "./shape-costs.ts";
import { RECORD, type Shapes } from "./shapes.ts";

/** Nanoseconds that an untraced run spent in the kernel; undefined when nobody said. */
export function kernelTime({ events, meta }: Trace): number | undefined {
  if (!systemTimeKnown(meta)) return undefined;
  let sum = 0;
  for (let seq = 0; seq < events.length; seq++) {
    const kind = events.kind[seq];
    if (events.parent[seq] >= 0 || (kind !== KIND.syscall && kind !== KIND.sigreturn)) continue;
    const took = events.tOut[seq] - events.tIn[seq] - Math.max(0, events.blocked[seq] || 0);
    if (took > 0) sum += took;
  }
  return sum * meta.clock.nsPerUnit;
}

/** By how much bodies are to be multiplied for all calls to take so many cycles by this way in; 0 when the way alone takes more. */
export function bodyFactor(shapes: Shapes, costs: ShapeCosts, cycles: number): number {
  const all = causesOf(shapes, costs, (kind) => kind === RECORD.call).reduce((sum, part) => sum + part, 0);
  let body = 0;
  for (let s = 0; s < shapes.length; s++)
    if (shapes.kind[s] === RECORD.call) body += shapes.count[s] * (costs.body[s] + costs.copy[s]);
  return body > 0 ? Math.max(0, 1 + (cycles - all) / body) : 1;
}

/** The costs with the bodies of calls multiplied. */
export function withBodies(shapes: Shapes, costs: ShapeCosts, factor: number): ShapeCosts {
  const scaled = (cycles: Float64Array): Float64Array =>
    cycles.map((value, s) => (shapes.kind[s] === RECORD.call ? Math.round(value * factor) : value));
  const [body, copy] = [scaled(costs.body), scaled(costs.copy)];
  const total = costs.total.map((value, s) => value + body[s] - costs.body[s] + copy[s] - costs.copy[s]);
  const after = costs.after.map((value, s) => Math.min(value, total[s]));
  return { ...costs, total, after, body, copy };
}
