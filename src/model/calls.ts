// The call table from data/calls.csv: system calls by name and, per ABI, by number.
import { type ReadData, readTable } from "./table.ts";

/** A system call: how many arguments, whether it needs the saved registers, and whose body it has. */
export interface Call {
  readonly name: string;
  readonly args: number;
  readonly special: boolean;
  readonly class: string;
}

/** All calls by name, and by number in each ABI. */
export function readCalls(read: ReadData): {
  readonly calls: Map<string, Call>;
  readonly i386: Map<number, Call>;
  readonly x86_64: Map<number, Call>;
} {
  const calls = new Map<string, Call>();
  const i386 = new Map<number, Call>();
  const x86_64 = new Map<number, Call>();
  for (const row of readTable("calls.csv", read("calls.csv"))) {
    const call: Call = {
      name: row.text("name"),
      args: row.required("args"),
      special: row.text("special") === "1",
      class: row.text("class"),
    };
    calls.set(call.name, call);
    const [a, b] = [row.number("i386"), row.number("x86_64")];
    if (a !== undefined) i386.set(a, call);
    if (b !== undefined) x86_64.set(b, call);
  }
  return { calls, i386, x86_64 };
}
