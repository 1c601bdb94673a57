// Do actors (processes, threads, sockets, signals, groups) do in kmlab what they did natively? Of the 1,000 recorded seeds every eighth in one
// ring; all, in ring 3 and in ring 0, with KMLAB_SLOW=1, and then seeds that nobody has seen before, where this host runs i386 programs.
import process from "node:process";
import { describe, expect, it } from "vitest";
import { InputError } from "../../../src/errors.ts";
import { actorScript, EPISODES } from "./generate.ts";
import { NativeStage } from "./native.ts";
import { perform, stage } from "./perform.ts";
import { ACTOR_SEEDS, readActorRecording, scriptHash } from "./recording.ts";

const SLOW = process.env["KMLAB_SLOW"] !== undefined;
const RINGS = [3, 0] as const;
const FRESH = 200;
const image = stage();
const recording = readActorRecording()!;
const seeds = Array.from({ length: ACTOR_SEEDS }, (_, i) => i + 1);

describe("scripts", () => {
  it("were recorded as they are made now, by this very actor", () => {
    const stale = seeds.filter((seed) => recording.runs[seed]?.of !== scriptHash(actorScript(seed).script));
    expect(stale, "run `npm run diff -- --actors --record`").toEqual([]);
  });

  it("have every kind of episode, many times", () => {
    const counts = new Map<string, number>();
    for (const seed of seeds)
      for (const name of actorScript(seed).episodes.map((e) => e.split("#")[0]))
        counts.set(name, (counts.get(name) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual(Object.keys(EPISODES).sort());
    expect(Math.min(...counts.values())).toBeGreaterThan(100);
  });
});

describe("seed", () => {
  it.each(seeds.filter((seed) => SLOW || seed % 8 === 0))("%i", (seed) => {
    const { script, episodes } = actorScript(seed);
    for (const ring of SLOW ? RINGS : [RINGS[(seed >> 3) & 1]]) {
      const { status, out } = perform(image, script, { ring, entry: seed & 1 ? "int80" : "sysenter" });
      expect({ status, out: out.split("\n") }, `${episodes.join(", ")} in ring ${ring}`).toEqual({
        status: 0,
        out: recording.runs[seed].out.split("\n"),
      });
    }
  });
});

/** Where i386 programs can be run natively: somewhere to run them. */
function nativeStage(): NativeStage | undefined {
  try {
    return new NativeStage();
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

const native = SLOW ? nativeStage() : undefined;
if (native !== undefined) {
  const first = 10_000 + Math.floor(Math.random() * 1e9);
  it.each(Array.from({ length: FRESH }, (_, i) => first + i))("a fresh seed: %i", (seed) => {
    const { script } = actorScript(seed);
    const played = native.perform(script);
    for (const ring of RINGS) expect(perform(image, script, { ring }), `ring ${ring}`).toEqual(played);
  });
}
