// Where QEMU's translator departs from Intel's manual, case by case, and what the manual wants there. Everything else must be
// the same in kmlab.
import { type Events, FIELDS } from "./log.ts";

/** What the manual wants of the cases whose name matches. */
export interface Departure {
  readonly cases: RegExp;
  /** What QEMU does, and the section of the manual (Intel SDM) that decides. */
  readonly why: string;
  /** Fields, by event, that the manual wants other than QEMU printed them: n:field, or field for the first. */
  readonly fields?: Readonly<Record<string, string>>;
  /** The whole answer, where other events happen. */
  readonly events?: Events;
}

export const DEPARTURES: readonly Departure[] = [];

/** Exceptions of the fault class, and those of them that push an error code. */
const FAULTS = new Set(["0", "5", "6", "7", "a", "b", "c", "d", "e", "10", "11"]);
const WITH_CODE = new Set(["a", "b", "c", "d", "e", "11"]);

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

/** What the manual wants of a case, from what QEMU printed and what is known of QEMU. */
export function expected(name: string, events: Events): Events {
  const departure = DEPARTURES.find(({ cases }) => cases.test(name));
  const seen = events.map(withRf);
  if (departure === undefined) return seen;
  return departure.events ?? withFields(seen, departure.fields ?? {});
}
