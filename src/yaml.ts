// YAML files that people write: read against a schema, with errors that name the line and what is allowed.
import { type Document, isMap, isNode, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { InputError } from "./errors.ts";

/** Where something of a document is, for messages: `FILE:LINE:COLUMN: KEY`. */
export type Where = (path: readonly PropertyKey[]) => string;

/**
 * Reads one document.
 * @param text the file's contents; @param file its name, for messages
 * @throws InputError `FILE:LINE:COLUMN: KEY: what is wrong`, for the first thing that is
 */
export function readYaml<T>(text: string, file: string, schema: z.ZodType<T>): T {
  return openYaml(text, file, schema).value;
}

/** The same, with where its parts are, for what no schema can check. */
export function openYaml<T>(text: string, file: string, schema: z.ZodType<T>): { value: T; where: Where } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [wrong] = document.errors;
  if (wrong !== undefined) throw new InputError(`${at(wrong.pos[0])}: ${wrong.message}`);
  const where: Where = (path) => [at(offsetOf(document, path)), path.map(String).join(".")].filter(Boolean).join(": ");
  const parsed = schema.safeParse(unfolded(document, file));
  if (parsed.success) return { value: parsed.data, where };
  const [issue] = parsed.error.issues;
  const path = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0]] : issue.path;
  throw new InputError(`${where(path)}: ${said(issue, schema)}`);
}

/** The document as plain values; one whose aliases multiply is refused before it fills the memory. */
function unfolded(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new InputError(`${file}: ${(error as Error).message}; write out what the aliases stand for`);
  }
}

/** What is wrong, with what is allowed where the schema knows it. */
function said(issue: z.core.$ZodIssue, schema: z.core.$ZodType): string {
  if (issue.code !== "unrecognized_keys") return issue.message.replace(/^Invalid input: /, "");
  const keys = keysAt(schema, issue.path);
  return keys.length === 0 ? "no such key here" : `no such key here; there are ${keys.join(", ")}`;
}

/** What a schema is made of, as far as a path leads through it. */
type Parts = { shape?: Record<string, z.core.$ZodType>; element?: z.core.$ZodType; innerType?: z.core.$ZodType };

/** The keys that a schema has at a path; none where it cannot say. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const { shape, element, innerType } = schema._zod.def as Parts;
  if (innerType !== undefined) return keysAt(innerType, path);
  if (path.length === 0) return Object.keys(shape ?? {});
  const next = element ?? shape?.[String(path[0])];
  return next === undefined ? [] : keysAt(next, path.slice(1));
}

/** Where the deepest part of a path that is there begins: the key of a pair, or an item. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => String((item.key as Node & { value?: unknown })?.value) === String(step));
      if (pair === undefined) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else {
      const item = (node as { items?: unknown[] } | null)?.items?.[Number(step)];
      if (!isNode(item)) return offset;
      offset = item.range?.[0] ?? offset;
      node = item;
    }
  }
  return offset;
}
