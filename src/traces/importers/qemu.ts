// qemu-i386 -strace: calls without times, arguments without blanks, lines of several processes that run into each other.
import { ABI } from "../schema/enums.ts";
import { CallMeaning } from "./call-meaning.ts";
import type { ImportedEvents } from "./events.ts";
import type { Findings, ImportFormat } from "./format.ts";
import type { LineReader } from "./lines.ts";
import { CLOCK, SAYS, StraceLine } from "./strace-line.ts";

const UNKNOWN = "Unknown syscall ";

/** Is this a line of qemu rather than of strace: arguments without blanks between them, errors by number, no times? */
function isQemu(line: StraceLine, text: string): boolean {
  if (text.includes(UNKNOWN)) return true;
  if (line.clock !== CLOCK.none || line.pid < 0) return false;
  if (line.says === SAYS.call)
    return text.includes("errno=") || /,[^ ]/.test(line.args) || / = 0x0[0-9a-f]+$/.test(text);
  return false;
}

/** "14971 Unknown syscall 386": the number; -1: another line. */
function unknownCall(text: string): number {
  const match = /^\d+ Unknown syscall (\d{1,9})$/.exec(text.trimEnd());
  return match === null ? -1 : Number(match[1]);
}

/** "14973 exit_group(0)": the only call that is printed without a result. */
function isExit(text: string): boolean {
  return /^\d+ exit(_group)?\(-?\d+\)$/.test(text);
}

function read(files: readonly LineReader[], into: ImportedEvents): Findings {
  const meaning = new CallMeaning(into);
  const line = new StraceLine();
  let mixed = 0;
  for (const file of files) {
    for (let text = file.next(); text !== undefined; text = file.next()) {
      const says = line.read(text);
      if (says === SAYS.call) {
        const task = into.tasks.of(line.pid);
        const event = into.enterNamed(task, line.name, 0);
        let { ret } = line;
        // A successful execve does not print: what stands behind it is another process's result.
        if (line.name.startsWith("execve") && ret >= 0) {
          if (ret > 0) mixed++;
          ret = 0;
        }
        into.leave(task, event, Number.NaN, ret === -513 ? Number.NaN : ret);
        meaning.ended(task, event, line.name, line.args, ret, line.after);
        continue;
      }
      const unknown = unknownCall(text);
      if (unknown >= 0 && line.pid >= 0) {
        into.enterNumbered(into.tasks.of(line.pid), unknown, ABI.i386, 0);
        continue;
      }
      if (isExit(text) && line.pid >= 0) {
        const task = into.tasks.of(line.pid);
        into.enterNamed(task, line.name, 0);
        task.open = -1;
        into.tasks.end(task, (Number.parseInt(text.slice(text.lastIndexOf("(") + 1), 10) & 0xff) * 256);
        continue;
      }
      if (says === SAYS.signal || (text.startsWith("---") && text.endsWith("---")) || text.trim() === "") continue;
      // The result of a call that another process's line came into.
      if (/^ = -?(0x)?[0-9a-f]+( errno=\d+ \([^()]*\))?$/.test(text)) mixed++;
      else into.note("no line of qemu -strace", file);
    }
  }
  for (const task of into.tasks.all) task.open = -1;
  return {
    fidelity: {
      times: "none: qemu -strace prints no times",
      arguments: "partial: results, and paths where they are printed",
      sites: "none: no instruction pointers",
      loss: mixed > 0 ? `partial: ${mixed} results that stand behind another process's call` : "none",
    },
    advice: [
      "kmlab capture runs the same i386 program and knows everything",
      "strace -f -ttt -T -i -o FILE knows times and sites",
    ],
    timed: false,
    abi: { otherwise: "i386", certain: true },
  };
}

export const QEMU: ImportFormat = {
  id: "qemu",
  is: "qemu-i386 -strace",
  recognise: (lines) => {
    const line = new StraceLine();
    let count = 0;
    let own = 0;
    for (const text of lines) {
      const says = line.read(text);
      if (isQemu(line, text)) own++;
      if (says === SAYS.call || isExit(text) || text.includes(UNKNOWN) || text.startsWith("---")) count++;
    }
    // strace's lines look alike: a few that only qemu prints decide.
    return own * 4 > count ? count + 1 : 0;
  },
  read,
};
