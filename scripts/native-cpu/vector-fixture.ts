// The fixture of the vectors: a line per group with 16 bits per vector, what the real processor did (0: not decided).
import { VECTORS } from "./vector-cases.ts";

/** Hashes by group key. */
export type Recorded = ReadonlyMap<string, Uint16Array>;

export function toLine(key: string, hashes: Uint16Array): string {
  return `${key};${Array.from(hashes, (h) => h.toString(16).padStart(4, "0")).join("")}`;
}

/** Read a fixture's text; the first line is a comment. */
export function fromText(text: string): Recorded {
  const recorded = new Map<string, Uint16Array>();
  for (const line of text.trimEnd().split("\n").slice(1)) {
    const [key, hashes] = line.split(";");
    recorded.set(
      key,
      Uint16Array.from({ length: VECTORS }, (_, v) => Number.parseInt(hashes.slice(4 * v, 4 * v + 4), 16)),
    );
  }
  return recorded;
}
