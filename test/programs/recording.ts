// The recorded native runs, as committed under test/fixtures/programs.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import type { Case } from "./cases.ts";
import type { Outcome } from "./outcome.ts";

const folder = new URL("../fixtures/programs/", import.meta.url);

/** Paths of the committed files. */
export const FIXTURE_TAR = fileURLToPath(new URL("tree.tar.gz", folder));
export const CASES_FILE = fileURLToPath(new URL("native.json", folder));
export const SEEDS_FILE = fileURLToPath(new URL("seeds.json", folder));

/** Seeds 1 to this are recorded. */
export const RECORDED_SEEDS = 200;

/** Where a recording comes from. */
export interface Provenance {
  /** Day of the recording. */
  date: string;
  /** Release of the host's kernel. */
  kernel: string;
  /** File system that the chroot was on. */
  filesystem: string;
  /** Digest of the root image. */
  root: string;
  /** SHA-256 of the fixture's tar. */
  fixture: string;
}

export interface Recording {
  provenance: Provenance;
  /** By name of the case or seed; `of` is a hash of the command, so that a changed command is not compared with an old run. */
  runs: Record<string, Outcome & { of: string }>;
}

/** What a recording made here and now comes from. @param folder where the native root was unpacked */
export function provenanceHere(root: string, folder: string): Provenance {
  const filesystem = spawnSync("stat", ["-f", "-c", "%T", folder]).stdout.toString().trim();
  const fixture = createHash("sha256")
    .update(gunzipSync(readFileSync(FIXTURE_TAR)))
    .digest("hex");
  return { date: new Date().toISOString().slice(0, 10), kernel: `Linux ${release()}`, filesystem, root, fixture };
}

/** A hash of what is run. */
export function commandHash({ argv, stdin }: Pick<Case, "argv" | "stdin">): string {
  return createHash("sha256")
    .update(JSON.stringify([argv, stdin ?? ""]))
    .digest("hex")
    .slice(0, 12);
}

export function readRecording(file: string): Recording | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Recording) : undefined;
}

/** Writes a recording, a line per run. */
export function writeRecording(file: string, recording: Recording): void {
  const runs = Object.entries(recording.runs).map(([name, run]) => `${JSON.stringify(name)}:${JSON.stringify(run)}`);
  writeFileSync(file, `{"provenance":${JSON.stringify(recording.provenance)},\n"runs":{\n${runs.join(",\n")}\n}}\n`);
}
