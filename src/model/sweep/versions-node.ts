// What a number of the model depends on besides its question: the code that computes it and the tables it reads.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModelData } from "../data.ts";
import { readDataFile } from "../data-node.ts";

export interface Versions {
  readonly kmlab: string;
  /** SHA-256 of the sources of the model and of the trace reader. */
  readonly model: string;
  /** SHA-256 of the tables that the model reads. */
  readonly tables: string;
}

const SOURCES = fileURLToPath(new URL("../../", import.meta.url));

function digest(parts: readonly (readonly [name: string, text: string])[]): string {
  const hash = createHash("sha256");
  for (const [name, text] of parts) hash.update(`${name}\0${text.length}\0${text}\0`);
  return hash.digest("hex");
}

function sources(room: string): [string, string][] {
  return readdirSync(join(SOURCES, room), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${room}/${name.replaceAll("\\", "/")}`)
    .sort()
    .map((name) => [name, readFileSync(join(SOURCES, name), "utf8")]);
}

export function versions(): Versions {
  const tables = new Map<string, string>();
  loadModelData((name) => {
    const text = readDataFile(name);
    tables.set(name, text);
    return text;
  });
  const own = JSON.parse(readFileSync(join(SOURCES, "..", "package.json"), "utf8")) as {
    version: string;
    dependencies: Record<string, string>;
  };
  return {
    kmlab: own.version,
    model: digest([...sources("model"), ...sources("traces"), ["simjs", own.dependencies["simjs"]]]),
    tables: digest([...tables].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
