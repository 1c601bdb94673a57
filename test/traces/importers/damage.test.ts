// Damaged samples: cut, lines swapped, bytes that are no text, lines without end, columns exchanged. Never a crash, never silence:
// a damaged file is imported with a word about it, refused, or gives what the whole one gives. Files that no reader of the format
// can tell from a whole one are no damage: those that end earlier, but at the end of a line; lines in another order where nothing
// but their place tells it (no times, or times since the line above); a digit that became another.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { InputError } from "../../../src/errors.ts";
import { draw } from "../../../src/model/random.ts";
import { importTrace } from "../../../src/traces/importers/import.ts";
import { reportLines } from "../../../src/traces/importers/report.ts";
import { ROOT } from "../../cli/kmlab.ts";
import { calls, imported, importSample, sampleBytes, snapshot, source, text } from "./samples.ts";

/** Samples of every format; the larger ones are cut to their beginning, at the end of a line. */
const SAMPLES = readdirSync(join(ROOT, "data/samples"))
  .filter((name) => name.endsWith(".txt") && !name.startsWith("lttng"))
  .map((name) => {
    const bytes = sampleBytes(name);
    if (bytes.length < 8000) return { name, bytes };
    return { name, bytes: bytes.slice(0, bytes.lastIndexOf(10, 6000) + 1) };
  });

/** Nothing but the place of their lines tells their order. */
const ORDERLESS = /^(qemu|strace-c|strace-edge-r|perf-trace-s)/;
/** Their last line is cut already: what happens to it is said in the same words. */
const CUT = /^strace-truncated/;

const BATCH = 500;
const ENOUGH = process.env["KMLAB_SLOW"] ? 10_000 : BATCH;
/** Of how many pairs of lines one is joined. */
const EVERY = process.env["KMLAB_SLOW"] ? 1 : 7;

/** What of a trace a user sees: everything but the lines' own counts. */
const shown = (result: ReturnType<typeof imported>): string => snapshot(result).split("\n").slice(1).join("\n");

type Damage = (bytes: Uint8Array, random: (most: number) => number) => Uint8Array;

function lines(bytes: Uint8Array): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(10, from);
    list.push(bytes.slice(from, end < 0 ? undefined : end + 1));
    from = end < 0 ? bytes.length : end + 1;
  }
  return list;
}

const joined = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat([...parts]));

/** A place in the middle third of a line, where what it says stands. */
const within = (line: Uint8Array, random: (most: number) => number): number =>
  Math.floor(line.length / 3) + random(Math.max(1, Math.floor(line.length / 3)));

const DAMAGES: Readonly<Record<string, Damage>> = {
  /** The file ends too early. */
  cut: (bytes, random) => bytes.slice(0, random(bytes.length)),
  /** Two pieces change places. */
  swapped: (bytes, random) => {
    const list = lines(bytes);
    const [a, b] = [random(list.length), random(list.length)];
    [list[a], list[b]] = [list[b], list[a]];
    return joined(list);
  },
  /** Bytes that are no UTF-8, and zeros. */
  bytes: (bytes, random) => {
    const copy = bytes.slice();
    for (let n = random(20); n >= 0; n--) copy[random(copy.length)] = [0xff, 0xc0, 0x80, 0, 0xfe][random(5)];
    return copy;
  },
  /** A line as long as a file. */
  huge: (bytes, random) => {
    const list = lines(bytes);
    const at = random(list.length);
    const place = within(list[at], random);
    list[at] = joined([
      list[at].slice(0, place),
      new Uint8Array(100_000 + random(100_000)).fill(65 + random(26)),
      list[at].slice(place),
    ]);
    return joined(list);
  },
  /** Line feeds are lost, so that lines run into each other. */
  glued: (bytes, random) => {
    const list = lines(bytes);
    const at = random(list.length);
    list[at] = list[at].filter((byte) => byte !== 10);
    return joined(list);
  },
  /** The words of some lines stand in another order. */
  columns: (bytes, random) => {
    const list = lines(bytes);
    for (let n = 0; n < 1 + list.length / 4; n++) {
      const at = random(list.length);
      const words = Buffer.from(list[at]).toString("latin1").trimEnd().split(" ");
      const by = 1 + random(Math.max(1, words.length - 1));
      list[at] = Uint8Array.from(Buffer.from(`${[...words.slice(by), ...words.slice(0, by)].join(" ")}\n`, "latin1"));
    }
    return joined(list);
  },
};

/** Is something said: not understood, lost, gone back, or the file refused? */
function says(result: ReturnType<typeof imported>, whole: ReturnType<typeof imported>): boolean {
  const words = ({ report }: typeof result): string => reportLines(report).slice(1).join("\n");
  return words(result) !== words(whole);
}

/** Is a damaged file one that no reader of its format could tell from a whole one? */
function isWellFormed(name: string, kind: string, damaged: Uint8Array, bytes: Uint8Array): boolean {
  if (kind === "cut") return damaged.length === bytes.length || damaged[damaged.length - 1] === 10;
  return kind === "swapped" && ORDERLESS.test(name);
}

describe("random damage", () => {
  const whole = SAMPLES.map(({ name, bytes }) => imported([source(name, bytes)]));
  const kinds = Object.keys(DAMAGES);

  const batches = Array.from({ length: ENOUGH / BATCH }, (_, nth) => nth * BATCH);
  it.each(
    batches,
  )(`${BATCH} damaged samples from %i on are imported with a word about it, or refused in one line`, (from) => {
    const outcomes = { refused: 0, said: 0, same: 0, wellFormed: 0 };
    const silent: string[] = [];
    for (let n = from; n < from + BATCH; n++) {
      const random = (() => {
        let at = 0;
        return (most: number) => Math.floor(draw(n, "damage", at++) * most);
      })();
      const sample = random(SAMPLES.length);
      const { name, bytes } = SAMPLES[sample];
      const kind = kinds[n % kinds.length];
      const damaged = DAMAGES[kind](bytes, random);
      let result: ReturnType<typeof imported>;
      try {
        result = imported([source(name, damaged, 1 + random(9000))]);
      } catch (error) {
        expect(error, `${n} ${kind} ${name}`).toBeInstanceOf(InputError);
        expect((error as Error).message, `${n} ${kind} ${name}`).not.toContain("\n");
        expect((error as Error).message, `${n} ${kind} ${name}`).toMatch(/\.txt:\d+: /);
        outcomes.refused++;
        continue;
      }
      // That the last line is cut is said of a sample that was cut already, too.
      const ends = (kind === "cut" || kind === "glued") && result.report.fidelity.loss.includes("the last line");
      if (ends || says(result, whole[sample])) outcomes.said++;
      else if (shown(result) === shown(whole[sample])) outcomes.same++;
      else if (isWellFormed(name, kind, damaged, bytes)) outcomes.wellFormed++;
      else silent.push(`${n} ${kind} ${name}`);
    }
    expect(outcomes.refused).toBeGreaterThan(0);
    expect(outcomes.said).toBeGreaterThan(BATCH / 2);
    expect(outcomes.wellFormed).toBeLessThan(BATCH / 15);
    expect(silent).toEqual([]);
  });

  it("any two lines that ran into each other are noticed", () => {
    const silent: string[] = [];
    for (const [sample, { name, bytes }] of SAMPLES.entries()) {
      const before = shown(whole[sample]);
      const list = lines(bytes);
      for (let at = 0; at + 1 < list.length; at += EVERY) {
        if (CUT.test(name) && at === list.length - 2) continue;
        const damaged = joined([...list.slice(0, at), list[at].slice(0, -1), ...list.slice(at + 1)]);
        try {
          const result = importTrace([source(name, damaged)], calls);
          if (!says(result, whole[sample]) && shown(result) !== before) silent.push(`${name}:${at + 1}`);
        } catch (error) {
          expect(error, `${name}:${at + 1}`).toBeInstanceOf(InputError);
        }
      }
    }
    expect(silent).toEqual([]);
  });

  it("a file cut anywhere but at the end of a line says so, a line's first bytes included", () => {
    const content = '7 1.0 read(3, "ab", 9) = 2 <0.000001>\n7 1.1 getpid() = 7777 <0.000001>\n';
    for (let end = content.indexOf("\n") + 2; end < content.length; end++)
      expect(imported([text(content.slice(0, end))]).report.fidelity.loss, `${end}`).toMatch(
        /the last line (is cut|has no)/,
      );
    expect(imported([text(content)]).report.fidelity.loss).not.toContain("last line");
  });

  it("one byte that is no text is noticed wherever it stands", () => {
    const content =
      '7 1.0 read(3, "ab", 9) = 2 <0.000001>\n7 1.1 getpid() = 7 <0.000001>\n7 1.2 getpid() = 7 <0.000001>\n';
    for (let at = 0; at < content.indexOf("\n"); at++) {
      for (const byte of [0, 0x80, 0xc3, 0xff]) {
        const bytes = new TextEncoder().encode(content);
        bytes[at] = byte;
        expect(imported([source("made.txt", bytes, 16)]).report.fidelity.loss, `${at}`).toContain(
          "1 line with bytes that are no text",
        );
      }
    }
    expect(imported([text(content.replace("ab", "\u00e4\u{1f600}"))]).report.fidelity.loss).not.toContain("no text");
  });

  it("how the file is cut into pieces does not matter", () => {
    const { name, bytes } = SAMPLES.find((one) => one.name.includes("ttt-T"))!;
    const one = snapshot(imported([source(name, bytes)]));
    for (const size of [1, 7, 1000, 1 << 20]) expect(snapshot(imported([source(name, bytes, size)]))).toBe(one);
  });
});

it("a line of any length is read in bounded memory and does not hide the ones behind it", () => {
  const head = `7 1.0 write(1, "`;
  const tail = `", 9) = 9 <0.000001>\n7 1.1 getpid() = 7 <0.000001>\n`;
  function* pieces() {
    yield Buffer.from(head);
    const piece = new Uint8Array(1 << 20).fill(65);
    for (let n = 0; n < 64; n++) yield piece;
    yield Buffer.from(tail);
  }
  const { trace, report } = imported([{ name: "long.txt", pieces }]);
  expect([...trace.events.ret]).toEqual([9, 7]);
  expect(report.fidelity.loss).toContain("the middle of 1 line too long to keep");
});

it("the samples as they are say nothing of damage", () => {
  expect(importSample("strace-edge-ttt-T.txt").report.fidelity.loss).toBe("none");
});
