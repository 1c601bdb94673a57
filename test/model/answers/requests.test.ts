// Requests: found between calls, timed in the replay, coming as the question says.
import { describe, expect, test } from "vitest";
import { readArrivals } from "../../../src/model/answers/requests.ts";
import { modelData } from "../../../src/model/data-node.ts";
import { type MadeTrace, makeTrace } from "../../../src/model/made-traces.ts";
import { isResult, type WhatIfOptions, whatif } from "../../../src/model/whatif.ts";
import { EDGE, KIND } from "../../../src/traces/schema/enums.ts";
import { nothingBut } from "../nothing-but.ts";

const data = modelData();
const [CLOSE, CLONE, ACCEPT4] = [6, 120, 364];
const cpi = [...data.profiles.get("p4")!.costs.keys()].filter((key) => key.startsWith("cpi."));
const set = nothingBut({ mhz: 1000, "body.close.a": 100, ...Object.fromEntries(cpi.map((key) => [key, 1])) });

/** A server that computes 400 cycles for each of its requests; each waits 10,000 ns for its client, as recorded. */
const server: MadeTrace = {
  tasks: 1,
  events: [1, 2, 3, 4].flatMap(() => [
    { task: 0, nr: ACCEPT4 },
    { task: 0, nr: CLOSE, user: 400 },
  ]),
  edges: [0, 2, 4, 6].map((to) => ({ to, kind: EDGE.data, delay: 10_000 })),
};

function ask(made: MadeTrace, options: WhatIfOptions) {
  const answer = whatif(makeTrace(made), data, { draws: 0, mechanisms: ["free"], set, ...options });
  return answer.mechanisms.filter(isResult)[0];
}

describe("a server of four requests of 500 cycles", () => {
  const request = "accept..close";

  test("closed arrivals: one after the other, at once", () => {
    const { requests, total } = ask(server, { request, arrivals: "closed" });
    expect(total).toBe(2000);
    expect(requests).toEqual({ count: 4, perSecond: 2e6, p50: 500e-9, p99: 500e-9 });
  });

  test("open arrivals far apart: each takes its own time, the rate is about the clients'", () => {
    const { requests } = ask(server, { request, arrivals: "open:1000" });
    expect(requests?.p50).toBeCloseTo(500e-9, 12);
    expect(requests?.p99).toBeCloseTo(500e-9, 12);
    expect(requests?.perSecond).toBeLessThan(10_000);
  });

  test("open arrivals faster than the server: the queue shows", () => {
    const { requests, total } = ask(server, { request, arrivals: "open:1e9" });
    expect(requests?.p99).toBeGreaterThan(1900e-9);
    expect(total).toBeGreaterThanOrEqual(2000);
    expect(total).toBeLessThan(2100);
  });

  test("a failed call begins nothing", () => {
    const trace = makeTrace(server);
    trace.events.ret[2] = -11;
    const [entry] = whatif(trace, data, {
      draws: 0,
      mechanisms: ["free"],
      set,
      request,
      arrivals: "closed",
    }).mechanisms;
    expect(isResult(entry) && entry.requests?.count).toBe(3);
  });

  test("clients that are not in the trace must be named; those that are must not", () => {
    expect(() => ask(server, { request })).toThrow(/clients are not in the trace: say --arrivals/);
    const both: MadeTrace = {
      tasks: 2,
      spawnedBy: [undefined, 0],
      events: [
        { task: 0, kind: KIND.spawn, nr: CLONE },
        { task: 1, user: 5000 },
        { task: 0, nr: ACCEPT4 },
        { task: 0, nr: CLOSE, user: 400 },
      ],
      edges: [{ to: 2, from: 1, kind: EDGE.data }],
    };
    expect(ask(both, { request }).requests).toMatchObject({ count: 1, p50: 500e-9 });
    expect(() => ask(both, { request, arrivals: "closed" })).toThrow(/clients are in the trace/);
  });
});

test("words that say nothing are refused", () => {
  for (const request of ["accept", "accept..", "accept..close..read", "accept..fly"])
    expect(() => ask(server, { request, arrivals: "closed" })).toThrow(/^--request .*: write two system calls/);
  for (const words of ["open", "open:", "open:0", "open:-1", "open:NaN", "often"])
    expect(() => readArrivals(words)).toThrow(/^--arrivals .*: write closed, or open:RATE/);
  expect(() => ask(server, { arrivals: "closed" })).toThrow(/of what\?/);
  expect(() => ask(server, { request: "fork..exit", arrivals: "closed" })).toThrow(/^no request: no task calls fork/);
});
