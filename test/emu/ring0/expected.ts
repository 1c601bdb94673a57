// What Intel's manual wants of a case: what QEMU printed, corrected by the departures that are known of it.
import { DEPARTURES } from "./departures.ts";
import { type Events, FIELDS } from "./log.ts";

/** Exceptions of the fault class, and those of them that push an error code. */
const FAULTS = new Set(["0", "5", "6", "7", "a", "b", "c", "d", "e", "10", "11"]);
const WITH_CODE = new Set(["a", "b", "c", "d", "e", "11"]);
const ACCESSED = 0x20;

const known = new Map(DEPARTURES.flatMap(({ cases }) => Object.entries(cases)));

/**
 * QEMU never sets RF in the EFLAGS image that a fault pushes; the manual has it set (vol. 3, 18.3.1.1: for all faults but
 * instruction breakpoints' #DB).
 */
function withRf(event: string): string {
  const words = event.split(" ");
  const frame = 1 + FIELDS.indexOf("w0");
  if (!FAULTS.has(words[1])) return event;
  const at = frame + (WITH_CODE.has(words[1]) ? 3 : 2);
  const image = Number.parseInt(words[at], 16);
  const is32BitFrame = (image & 0xffc0_802a) === 2;
  if (is32BitFrame) words[at] = (image | 0x1_0000).toString(16);
  return words.join(" ");
}

/** QEMU marks the directory's entry accessed though the translation faults; it is not used then (vol. 3, 4.8). */
function withoutAccessed(event: string): string {
  const words = event.split(" ");
  const at = 1 + FIELDS.length + 1;
  if (words[1] === "e") words[at] = (Number.parseInt(words[at], 16) & ~ACCESSED).toString(16);
  return words.join(" ");
}

function withFields(events: Events, fields: Readonly<Record<string, string>>): Events {
  const lines = events.map((event) => event.split(" "));
  for (const [key, value] of Object.entries(fields)) {
    const [, n, name] = /^(?:(\d+):)?(.*)$/.exec(key) ?? [];
    const watched = /^watch(\d+)$/.exec(name);
    const at = 1 + (watched ? FIELDS.length + Number(watched[1]) : FIELDS.indexOf(name));
    lines[Number(n ?? 0)][at] = value;
  }
  return lines.map((line) => line.join(" "));
}

/** What QEMU printed, with the RF that the manual wants. */
export function butForRf(events: Events): Events {
  return events.map(withRf);
}

/** The manual's answer for a case, from what QEMU printed. */
export function expected(name: string, events: Events): Events {
  const departure = known.get(name);
  if (departure !== undefined && !("length" in departure)) return withFields(butForRf(events), departure);
  if (departure !== undefined) return departure as Events;
  const seen = butForRf(events);
  return /^page pde\d pte\d cpl/.test(name) ? seen.map(withoutAccessed) : seen;
}
