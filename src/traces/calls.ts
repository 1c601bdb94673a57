// System calls by number and by name, from data/calls.csv.
import Papa from "papaparse";
import { ABI, ABIS } from "./schema/enums.ts";

export interface CallNames {
  /** The call's name; its number in words when it has none. `abi` indexes ABIS, unknown counts as i386. */
  name(nr: number, abi: number): string;
}

export interface CallTable extends CallNames {
  /** The number that a tool's name stands for; -1: the ABI has no such call. */
  number(name: string, abi: number): number;
  /** Is there a call of this number? */
  has(nr: number, abi: number): boolean;
  /** What kind of body the call has: read, wait, path, ...; "other" for an unknown name. */
  class(name: string): string;
}

/** Names that tools print and the table does not have: the kernel's own names of functions, and parts of a multiplexed call. */
const OTHER_NAMES: Readonly<Record<"any" | "i386" | "x86_64", Readonly<Record<string, string>>>> = {
  any: { newfstat: "fstat", newstat: "stat", newlstat: "lstat", newuname: "uname", sysctl: "_sysctl" },
  i386: {
    llseek: "_llseek",
    mmap_pgoff: "mmap2",
    fadvise64_64: "fadvise64_64",
    send: "socketcall",
    recv: "socketcall",
    accept: "socketcall",
    semop: "ipc",
    semtimedop: "ipc",
  },
  x86_64: { sendfile64: "sendfile", umount: "umount2" },
};

/** Reads the text of calls.csv: columns name, i386, x86_64 (numbers, empty where the call does not exist), class. */
export function parseCalls(text: string): CallTable {
  const rows = Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true }).data;
  const classes = new Map(rows.map((row) => [row["name"], row["class"]] as const));
  const table = (abi: "i386" | "x86_64") => {
    const numbered = rows.filter((row) => row[abi] !== "").map((row) => [Number(row[abi]), row["name"]] as const);
    const byNumber = new Map(numbered);
    const byName = new Map(numbered.map(([nr, name]) => [name, nr] as const));
    for (const [other, name] of [...Object.entries(OTHER_NAMES.any), ...Object.entries(OTHER_NAMES[abi])]) {
      const nr = byName.get(name);
      if (nr !== undefined && !byName.has(other)) byName.set(other, nr);
    }
    return { byNumber, byName };
  };
  const i386 = table("i386");
  const x86_64 = table("x86_64");
  const of = (abi: number) => (ABIS[abi] === "x86_64" ? x86_64 : i386);
  return {
    name: (nr, abi) => of(abi).byNumber.get(nr) ?? `call ${nr}`,
    number: (name, abi) => of(abi).byName.get(name) ?? -1,
    has: (nr, abi) => of(abi).byNumber.has(nr),
    class: (name) => classes.get(name) ?? classes.get(OTHER_NAMES.any[name] ?? OTHER_NAMES.i386[name] ?? "") ?? "other",
  };
}

/** The ABI that alone has a call of this name; unknown when both have it, or none. */
export function onlyAbi(calls: CallTable, name: string): number {
  const [i386, x86_64] = [calls.number(name, ABI.i386) >= 0, calls.number(name, ABI.x86_64) >= 0];
  return i386 === x86_64 ? ABI.unknown : i386 ? ABI.i386 : ABI.x86_64;
}
