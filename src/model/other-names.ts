// Calls that have another name in the other instruction set's table, from data/recompiled.csv.
import { InputError } from "../errors.ts";
import { readTable } from "./table.ts";

/** Calls by name, and what they become: "" for nothing. */
export interface OtherNames {
  readonly i386: ReadonlyMap<string, string>;
  readonly x86_64: ReadonlyMap<string, string>;
}

/** Reads recompiled.csv. */
export function readRecompiled(text: string): OtherNames {
  const names = { i386: new Map<string, string>(), x86_64: new Map<string, string>() };
  for (const row of readTable("recompiled.csv", text)) {
    const abi = row.text("abi");
    if (abi !== "i386" && abi !== "x86_64") throw new InputError(`${row.where}: no ABI "${abi}"`);
    names[abi].set(row.text("call"), row.text("other"));
  }
  return names;
}
