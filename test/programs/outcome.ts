// What a command did: the same shape for the native run, the recording and kmlab.
import { createHash } from "node:crypto";

/** Output as it is recorded: text that is short, or length and hash of the rest. */
export type Output = string | { bytes: number; sha256: string; head: string };

export interface Outcome {
  /** Exit status; 128 + n if signal n ended it. */
  status: number;
  stdout: Output;
  stderr: Output;
  /** Changes to the working directory. */
  tree: string[];
}

const TEXT_LIMIT = 4_000;

/** Makes output recordable; equal bytes give equal results. */
export function outputOf(bytes: Uint8Array): Output {
  const text = new TextDecoder().decode(bytes);
  const isText = bytes.length <= TEXT_LIMIT && !text.includes("\ufffd") && !text.includes("\0");
  if (isText) return text;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { bytes: bytes.length, sha256, head: Buffer.from(bytes.subarray(0, 80)).toString("latin1") };
}

/** How many lines of a tree are kept as they are in a compact outcome. */
const TREE_LINES = 8;

/** The outcome with long trees and texts replaced by a hash: for recordings of many runs. Equal outcomes stay equal. */
export function compact(outcome: Outcome): Outcome {
  const short = (o: Output): Output =>
    typeof o === "string" && o.length > 400 ? { bytes: o.length, sha256: hashOfText(o), head: o.slice(0, 80) } : o;
  const { status, stdout, stderr, tree } = outcome;
  const lines = tree.length > TREE_LINES ? [`${tree.length} changes, SHA-256 ${hashOfText(tree.join("\n"))}`] : tree;
  return { status, stdout: short(stdout), stderr: short(stderr), tree: lines };
}

function hashOfText(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** A short hash of contents, for listings. */
export function contentHash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** One line per difference; empty if there is none. */
export function differences(expected: Outcome, found: Outcome): string[] {
  const lines: string[] = [];
  if (expected.status !== found.status) lines.push(`status ${found.status}, native ${expected.status}`);
  for (const stream of ["stdout", "stderr"] as const) {
    const a = expected[stream];
    const b = found[stream];
    if (JSON.stringify(a) !== JSON.stringify(b)) lines.push(`${stream}: ${firstDifference(a, b)}`);
  }
  const native = new Set(expected.tree);
  const ours = new Set(found.tree);
  for (const line of found.tree) if (!native.has(line)) lines.push(`tree, only here: ${line}`);
  for (const line of expected.tree) if (!ours.has(line)) lines.push(`tree, only native: ${line}`);
  return lines;
}

function firstDifference(native: Output, found: Output): string {
  if (typeof native !== "string" || typeof found !== "string") {
    return `${JSON.stringify(found).slice(0, 400)}, native ${JSON.stringify(native).slice(0, 400)}`;
  }
  const a = native.split("\n");
  const b = found.split("\n");
  const i = a.findIndex((line, n) => line !== b[n]);
  const at = i < 0 ? a.length : i;
  return `line ${at + 1}: ${JSON.stringify(b[at] ?? "(end)")}, native ${JSON.stringify(a[at] ?? "(end)")}`;
}
