// What the images print, by case and field; recordings of it; comparison of two logs.
import { createHash } from "node:crypto";
import { buildImage, type Case, STACK_WORDS } from "./harness.ts";

/** Fields of a line, in order. `w` are the words from ESP upwards; registers are those that the handler found. */
export const FIELDS: readonly string[] = [
  ..."vector cs ss esp eflags".split(" "),
  ...Array.from({ length: STACK_WORDS }, (_, i) => `w${i}`),
  ..."ds es fs gs eax ecx edx ebx ebp esi edi cr0 cr2 cr3 cr4 dr6 dr7 tr ldtr".split(" "),
];

/** The events of a case, each one line: R (and the case went on) or E (and it ended), then the fields and watched words. */
export type Events = readonly string[];
/** By the case's name. */
export type Log = ReadonlyMap<string, Events>;

/** How a run of an image ended when a case ended it. */
export type Stop = "shutdown" | "hang";

/**
 * Run cases in images, a new one after each case that stops its machine.
 * @param run boots an image; gives its output, and how it stopped if it was not at its end
 */
export function collect(cases: readonly Case[], run: (image: Uint8Array) => { text: string; stop: Stop }): Log {
  const log = new Map<string, string[]>();
  let from = 0;
  while (from < cases.length) {
    const { text, stop } = run(buildImage(cases, from));
    let done = from;
    let ended = false;
    for (const line of text.split("\n")) {
      const match = /^([ER])([0-9a-f]+) (.*?)\s*$/.exec(line);
      if (line === "Z") ended = true;
      if (!match) continue;
      const number = Number.parseInt(match[2], 16);
      const { name } = cases[number];
      log.set(name, [...(log.get(name) ?? []), `${match[1]} ${match[3]}`]);
      if (match[1] === "E") done = number + 1;
    }
    if (ended) break;
    log.set(cases[done].name, [...(log.get(cases[done].name) ?? []), stop]);
    from = done + 1;
  }
  return log;
}

/** An event as field=value, only those that are not 0. */
export function fieldsOf(event: string): Map<string, string> {
  const [letter, ...values] = event.split(" ");
  const fields = new Map([["end", letter]]);
  values.forEach((v, i) => {
    fields.set(FIELDS[i] ?? `watch${i - FIELDS.length}`, v);
  });
  return fields;
}

/** How two events differ: field=first/second. */
export function difference(a: string | undefined, b: string | undefined): string[] {
  if (a === undefined || b === undefined) return [`event=${a ?? "none"}/${b ?? "none"}`];
  const [one, two] = [fieldsOf(a), fieldsOf(b)];
  const names = new Set([...one.keys(), ...two.keys()]);
  return [...names]
    .filter((name) => one.get(name) !== two.get(name))
    .map((name) => `${name}=${one.get(name) ?? "none"}/${two.get(name) ?? "none"}`);
}

/** How two logs of a case differ, event by event: n:field=first/second. */
export function differences(a: Events = [], b: Events = []): string[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) =>
    difference(a[i], b[i]).map((text) => (i === 0 ? text : `${i}:${text}`)),
  ).flat();
}

/** Changes when a case does. */
export function caseHash(c: Case): string {
  return createHash("sha256")
    .update(JSON.stringify([c.pokes, c.setup, c.ring, c.flags, c.code, c.watch]))
    .digest("hex")
    .slice(0, 8);
}

/** A log as text: a line `name<TAB>hash` per case, and a line for each event, after a blank. */
export function writeLog(cases: readonly Case[], log: Log): string {
  return cases
    .map((c) => `${c.name}\t${caseHash(c)}\n${(log.get(c.name) ?? []).map((event) => ` ${event}\n`).join("")}`)
    .join("");
}

/** Reads what writeLog wrote: events and hash by name. */
export function readLog(text: string): Map<string, { hash: string; events: string[] }> {
  const log = new Map<string, { hash: string; events: string[] }>();
  let events: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith(" ")) events.push(line.slice(1));
    else if (line !== "") {
      const [name, hash] = line.split("\t");
      events = [];
      log.set(name, { hash, events });
    }
  }
  return log;
}
