// npm run diff -- --actors: scripts of processes, threads, sockets, signals and groups, played natively and in kmlab in both rings; a
// difference is made smaller by leaving out episodes.
import process from "node:process";
import { CheckFailed, InputError } from "../src/errors.ts";
import { actorScript } from "../test/programs/actor/generate.ts";
import { NativeStage } from "../test/programs/actor/native.ts";
import { type Performance, perform, stage } from "../test/programs/actor/perform.ts";
import { ACTOR_SEEDS, readActorRecording, scriptHash, writeActorRecording } from "../test/programs/actor/recording.ts";

const RINGS = [3, 0] as const;
/** How often a script must say the same natively before that is recorded. */
const REPEATS = 3;

/** Records the first seeds. @throws CheckFailed if one does not say the same every time */
export function recordActors(): void {
  const native = new NativeStage();
  const runs: Record<string, { of: string; out: string }> = {};
  const unstable: string[] = [];
  try {
    for (let seed = 1; seed <= ACTOR_SEEDS; seed++) {
      const { script } = actorScript(seed);
      const { status, out } = native.perform(script);
      for (let i = 1; i < REPEATS; i++) {
        const again = native.perform(script);
        if (status !== 0 || again.status !== 0 || again.out !== out) unstable.push(`${seed}`);
      }
      runs[seed] = { of: scriptHash(script), out };
    }
  } finally {
    native.close();
  }
  if (unstable.length > 0)
    throw new CheckFailed(`not the same every time, nothing recorded: seeds ${unstable.join(" ")}`);
  writeActorRecording(runs);
  process.stdout.write(`${ACTOR_SEEDS} seeds recorded\n`);
}

/** The first word of each strand that differs, with what came before it. */
function difference(native: Performance, here: Performance): string {
  const lines = [`status ${here.status}, native ${native.status}`];
  const [a, b] = [native.out.split("\n"), here.out.split("\n")];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [x, y] = [(a[i] ?? "").split(" "), (b[i] ?? "").split(" ")];
    const at = x.findIndex((word, n) => word !== y[n]);
    const n = at < 0 ? x.length : at;
    if (a[i] === b[i]) continue;
    lines.push(
      `strand ${x[0]} word ${n} after "${x.slice(Math.max(1, n - 5), n).join(" ")}": "${y[n] ?? "(end)"}", native "${x[n] ?? "(end)"}"`,
    );
  }
  return lines.join("\n  ");
}

/** The fewest episodes of a seed that still differ from what they do natively. */
function smaller(native: NativeStage, seed: number, ring: 0 | 3): string[] {
  const image = stage();
  let { episodes } = actorScript(seed);
  const differs = (some: readonly string[]): boolean => {
    const { script } = actorScript(seed, some);
    const first = native.perform(script);
    return native.perform(script).out === first.out && perform(image, script, { ring }).out !== first.out;
  };
  for (let i = 0; i < episodes.length; ) {
    const fewer = episodes.filter((_, n) => n !== i);
    if (fewer.length > 0 && differs(fewer)) episodes = fewer;
    else i++;
  }
  return episodes;
}

/** Compares seeds with the native kernel, or with what was recorded of it. @throws CheckFailed if one differs */
export function compareActors(first: number, count: number, recorded: boolean): void {
  const recording = recorded ? readActorRecording() : undefined;
  const native = recorded ? undefined : new NativeStage();
  const image = stage();
  let failed = 0;
  try {
    for (let seed = first; seed < first + count; seed++) {
      const { script, episodes } = actorScript(seed);
      const run = recording?.runs[seed];
      if (recorded && run?.of !== scriptHash(script))
        throw new InputError(`seed ${seed}: not recorded, or made by another generator; use --record`);
      const expected = run ? { status: 0, out: run.out } : native!.perform(script);
      for (const ring of RINGS) {
        const found = perform(image, script, { ring });
        if (found.out === expected.out && found.status === expected.status) continue;
        failed++;
        process.stdout.write(`seed ${seed}, ring ${ring}: ${difference(expected, found)}\n`);
        process.stdout.write(`  episodes: ${(native ? smaller(native, seed, ring) : episodes).join(" ")}\n`);
        break;
      }
    }
  } finally {
    native?.close();
  }
  if (failed > 0) throw new CheckFailed(`${failed} of ${count} seeds differ`);
  process.stdout.write(`${count} seeds agree in both rings\n`);
}
