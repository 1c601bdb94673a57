// bpftrace, by the one-line program of docs/new-traces.md: "nsecs pid tid enter nr a0 a1 a2" and "nsecs pid tid exit nr ret".
import type { ImportFormat } from "./format.ts";
import { digits } from "./kernel-line.ts";
import { abiOfFiles, tracerFindings } from "./kernel-trace.ts";
import { hexWord, Pairs } from "./pairs.ts";

const SECOND = 1e9;

/** The words of a line of ours; undefined: it is none. */
function wordsOf(text: string): string[] | undefined {
  const words = text.trim().split(" ");
  if (words.length < 6 || (words[3] !== "enter" && words[3] !== "exit")) return undefined;
  // Times since boot in nanoseconds have more digits than are read as a number at once.
  for (const word of [words[0].slice(-9), words[1], words[2], words[4]])
    if (Number.isNaN(digits(word, 0, word.length))) return undefined;
  return words;
}

export const BPFTRACE: ImportFormat = {
  id: "bpftrace",
  is: "a line for each entry and return: nsecs pid tid enter nr a0 a1 a2, nsecs pid tid exit nr ret",
  recognise: (lines) => lines.filter((text) => wordsOf(text) !== undefined).length,
  read: (files, into) => {
    const { abi, findings } = abiOfFiles(files, into);
    const pairs = new Pairs(into, abi);
    let lost = 0;
    for (const file of files) {
      for (let text = file.next(); text !== undefined; text = file.next()) {
        const words = wordsOf(text);
        if (words === undefined) {
          const line = text.trim();
          const count = /^Lost (\d+) events/.exec(line);
          if (count !== null) lost += Number(count[1]);
          else if (line !== "" && !line.startsWith("Attaching ")) into.note("no line of the bpftrace program", file);
          continue;
        }
        const nanos = words[0].slice(-9);
        const seconds = Number(words[0].slice(0, -9) || "0");
        const t = pairs.time(seconds, Number(nanos));
        const tid = Number(words[2]);
        const nr = Number(words[4]);
        if (!(seconds < Number.MAX_SAFE_INTEGER / SECOND)) into.note("a time beyond all clocks", file);
        else if (words[3] === "enter") pairs.enter(tid, "", nr, t, -1, words.slice(5).map(hexWord));
        else if (Number.isNaN(Number(words[5]))) into.note("a return without a result", file);
        else pairs.leave(tid, "", nr, t, Number(words[5]));
      }
    }
    return tracerFindings(pairs, lost, findings, "nanoseconds since boot", []);
  },
};
