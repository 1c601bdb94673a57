// Sequences of call numbers, as data sets of intrusion detection have them: ADFA-LD (one process a file), UNM ("pid number" a line).
import { InputError } from "../../errors.ts";
import { ABI } from "../schema/enums.ts";
import type { ImportedEvents } from "./events.ts";
import type { Findings, ImportFormat, ReadOptions } from "./format.ts";
import { digits } from "./kernel-line.ts";
import type { LineReader } from "./lines.ts";

/** Words of a line of nothing but numbers; undefined: there is something else. */
function numbersOf(text: string): number[] | undefined {
  const words = text.trim().split(/\s+/);
  const numbers = words.map((word) => digits(word, 0, word.length));
  return numbers.some(Number.isNaN) ? undefined : numbers;
}

/** Are these lines "pid number"? */
function isPaired(lines: readonly string[]): boolean {
  const full = lines.filter((line) => line.trim() !== "");
  return full.length > 1 && full.every((line) => numbersOf(line)?.length === 2);
}

function read(files: readonly LineReader[], into: ImportedEvents, { names }: ReadOptions): Findings {
  const abi = into.abi === ABI.unknown ? ABI.i386 : into.abi;
  const paired = files.every((file) => isPaired(file.peek(50)));
  for (const [index, file] of files.entries()) {
    for (let text = file.next(); text !== undefined; text = file.next()) {
      if (text.trim() === "") continue;
      const numbers = numbersOf(text);
      if (numbers === undefined || (paired && numbers.length !== 2)) {
        into.note(paired ? "no pid and number" : "no numbers", file);
        continue;
      }
      const task = into.tasks.of(paired ? numbers[0] : index + 1);
      for (const nr of paired ? numbers.slice(1) : numbers) {
        if (names === undefined) into.enterNumbered(task, nr, abi, 0);
        else into.enterNamed(task, names[nr] ?? `call_${nr}`, 0);
      }
      task.open = -1;
    }
  }
  into.tasks.endAll();
  return {
    fidelity: {
      times: "none: numbers only",
      arguments: "none: numbers only",
      sites: "none: numbers only",
      loss: "none",
    },
    advice: [
      "--anchor user=S,sys=S with what `time` says of the program gives the answer a time to compare with",
      "strace -f -ttt -T -i -o FILE PROGRAM knows times, results and sites",
    ],
    timed: false,
    unendedLines: !paired,
    abi: { otherwise: "i386", certain: false },
  };
}

/** Reads a list of names as the UNM sets have it: one a line, whose number is the line's from 0 or stands before it. */
export function readNames(text: string): string[] {
  const names: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const match = /^\s*(?:(\d{1,6})\s+)?([A-Za-z_][A-Za-z_0-9]{0,39})\s*$/.exec(line);
    if (match !== null) names[match[1] === undefined ? index : Number(match[1])] = match[2];
    else if (line.trim() !== "")
      throw new InputError(`line ${index + 1}: this is no name of a call, nor a number and a name`);
  }
  return names;
}

export const NUMBERS: ImportFormat = {
  id: "numbers",
  is: "call numbers: a process a file (ADFA-LD), or lines of pid and number (UNM); i386's unless --abi or --names",
  recognise: (lines) => (lines.every((line) => numbersOf(line) !== undefined) ? lines.length : 0),
  read,
};
