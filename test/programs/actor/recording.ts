// The recorded native performances of the first seeds: a line per seed in one compressed file.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { ACTOR } from "./perform.ts";

/** Seeds 1 to this are recorded. */
export const ACTOR_SEEDS = 1000;

export const ACTOR_FILE = fileURLToPath(new URL("../../fixtures/actor/native.json.gz", import.meta.url));

export interface ActorRecording {
  readonly kernel: string;
  readonly date: string;
  /** By seed: a hash of the script and of the actor that played it, and what the strands said. */
  readonly runs: Record<string, { of: string; out: string }>;
}

/** What a script's recording is known by: another script or another actor is not compared with it. */
export function scriptHash(script: string): string {
  return createHash("sha256").update(readFileSync(ACTOR)).update(script).digest("hex").slice(0, 12);
}

export function readActorRecording(): ActorRecording | undefined {
  if (!existsSync(ACTOR_FILE)) return undefined;
  return JSON.parse(gunzipSync(readFileSync(ACTOR_FILE)).toString()) as ActorRecording;
}

export function writeActorRecording(runs: ActorRecording["runs"]): void {
  const recording = { kernel: `Linux ${release()}`, date: new Date().toISOString().slice(0, 10), runs };
  writeFileSync(ACTOR_FILE, gzipSync(JSON.stringify(recording), { level: 9 }));
}
