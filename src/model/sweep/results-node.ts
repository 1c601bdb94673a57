// The results of a sweep on the disk: lines that are only ever added, each with a checksum, so that a kill at any moment loses nothing
// that was finished and leaves nothing that could be mistaken for a result.
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "./evaluate.ts";

const SUFFIX = ".results";
const FOLDER = "results";
const SUM_LENGTH = 16;

function sum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, SUM_LENGTH);
}

/** Results by the hash of what they depend on. */
export class Results {
  readonly #known = new Map<string, Result>();
  /** Lines that were no results: torn by a kill, or damaged. */
  damaged = 0;
  #out: number | undefined;

  /** Reads every file of results of a sweep's folder. */
  read(folder: string): void {
    const dir = join(folder, FOLDER);
    if (!existsSync(dir)) return;
    for (const name of readdirSync(dir).sort())
      if (name.endsWith(SUFFIX)) this.#readText(readFileSync(join(dir, name), "utf8"));
  }

  #readText(text: string): void {
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const body = line.slice(SUM_LENGTH + 1);
      if (line[SUM_LENGTH] === " " && sum(body) === line.slice(0, SUM_LENGTH)) {
        const [key, ...result] = JSON.parse(body) as [string, ...Result];
        this.#known.set(key, result);
      } else this.damaged++;
    }
  }

  get(key: string): Result | undefined {
    return this.#known.get(key);
  }

  /** Further results go to this file of a sweep's folder. */
  open(folder: string, name: string): void {
    const dir = join(folder, FOLDER);
    mkdirSync(dir, { recursive: true });
    const file = join(dir, `${name}${SUFFIX}`);
    const torn = existsSync(file) && !endsWithLine(file);
    this.#out = openSync(file, "a");
    if (torn) writeSync(this.#out, "\n");
  }

  add(entries: readonly (readonly [key: string, result: Result])[]): void {
    let text = "";
    for (const [key, result] of entries) {
      const body = JSON.stringify([key, ...result]);
      text += `${sum(body)} ${body}\n`;
      this.#known.set(key, result);
    }
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#out!, bytes, at);
  }

  close(): void {
    if (this.#out !== undefined) closeSync(this.#out);
    this.#out = undefined;
  }
}

function endsWithLine(file: string): boolean {
  const bytes = readFileSync(file);
  return bytes.length === 0 || bytes[bytes.length - 1] === 0x0a;
}
