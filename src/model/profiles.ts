// Processor profiles from data/costs: their costs, what is fitted on them, envelopes of several, and profiles in files of their own.
import { InputError } from "../errors.ts";
import { type Ranged, readRanged } from "./ranges.ts";
import { type ReadData, readTable, words } from "./table.ts";

/** A cost of a processor, in cycles; or, with `of`, a factor on another of its costs. */
export interface Cost extends Ranged {
  readonly key: string;
  readonly of: string;
}

/** A published total from which unknown costs are solved: what is left of it is shared evenly among `solves`. */
export interface Fit extends Ranged {
  readonly solves: readonly string[];
  readonly kernel: string;
  readonly mechanism: string;
  readonly call: string;
  /** Measured with the trap instruction in the program itself. */
  readonly inline: boolean;
  /** Fits of one group are drawn together. */
  readonly group: string;
}

/** A processor. */
export interface Profile {
  readonly id: string;
  readonly name: string;
  readonly mhz: number;
  readonly note: string;
  /** The only kernels its numbers hold for; empty: any. */
  readonly kernels: readonly string[];
  /** Another profile, whose kernels this one is taken to run. */
  readonly like?: string;
  /** It was measured under a hypervisor. */
  readonly guest: boolean;
  readonly costs: ReadonlyMap<string, Cost>;
  readonly fits: readonly Fit[];
}

/** The costs of one file of data/. */
export function readCosts(read: ReadData, file: string): Map<string, Cost> {
  const costs = new Map<string, Cost>();
  for (const row of readTable(file, read(file))) {
    const key = row.text("key");
    if (costs.has(key)) throw new InputError(`${row.where}: ${key} is there twice`);
    costs.set(key, { key, of: row.text("of"), ...readRanged(row) });
  }
  for (const { key, of } of costs.values()) {
    if (of !== "" && !costs.has(of)) throw new InputError(`${file}: ${key} is a factor of ${of}, which is not there`);
  }
  return costs;
}

/** The envelope of several processors: each cost from the lowest to the highest, its value their geometric mean. */
function envelope(members: readonly ReadonlyMap<string, Cost>[]): Map<string, Cost> {
  const costs = new Map<string, Cost>();
  for (const [key, first] of members[0]) {
    const all = members.map((member) => member.get(key)!);
    if (all.some((cost) => cost.value === null)) costs.set(key, first);
    else {
      const product = all.reduce((sum, cost) => sum * cost.value!, 1);
      const low = Math.min(...all.map((cost) => cost.low));
      const high = Math.max(...all.map((cost) => cost.high));
      const value = Math.min(high, Math.max(low, product ** (1 / all.length)));
      costs.set(key, { ...first, value, low, high });
    }
  }
  return costs;
}

/**
 * A profile of its own file, as `calibrate --machine -o` writes it: costs, and its clock as mhz. Its kernels are those of the profile
 * that it is like.
 */
export function readProfileFile(id: string, text: string, like: Profile): Profile {
  const costs = readCosts(() => text, id);
  const mhz = costs.get("mhz")?.value;
  if (mhz == null || mhz === 0) throw new InputError(`${id}: no row mhz, or none that is more than 0`);
  const guest = costs.get("guest")?.value === 1;
  costs.delete("mhz");
  costs.delete("guest");
  for (const key of like.costs.keys()) if (!costs.has(key)) throw new InputError(`${id}: no row ${key}`);
  return {
    ...like,
    id,
    like: like.id,
    name: "from a file",
    mhz,
    guest,
    costs,
    fits: [],
    note: "its costs are from a file",
  };
}

/** A total that was measured once: another program on the same machine shows 5 % less or more, however alike its own runs were. */
function asTotal(total: Ranged): Ranged {
  const value = total.value ?? Number.NaN;
  return { ...total, low: Math.min(total.low, 0.95 * value), high: Math.max(total.high, 1.05 * value) };
}

/** All processors, and those that cannot be had. */
export function readProfiles(read: ReadData): { profiles: Map<string, Profile>; refused: Map<string, string> } {
  const profiles = new Map<string, Profile>();
  const refused = new Map<string, string>();
  const fits = new Map<string, Fit[]>();
  for (const row of readTable("costs/fits.csv", read("costs/fits.csv"))) {
    const fit: Fit = {
      solves: row.text("solves").split("+"),
      kernel: row.text("kernel"),
      mechanism: row.text("mechanism"),
      call: row.text("call"),
      inline: row.text("site") === "inline" || row.text("mechanism") === "int80",
      group: row.text("group"),
      ...asTotal(readRanged(row, "target")),
    };
    const id = row.text("profile");
    fits.set(id, [...(fits.get(id) ?? []), fit]);
  }
  for (const row of readTable("costs/profiles.csv", read("costs/profiles.csv"))) {
    const id = row.text("profile");
    if (row.text("refused") !== "") {
      refused.set(id, row.text("refused"));
      continue;
    }
    const members = words(row.text("members"));
    const costs =
      members.length > 0
        ? envelope(members.map((member) => readCosts(read, `costs/${member}.csv`)))
        : readCosts(read, `costs/${id}.csv`);
    const name = row.text("name");
    profiles.set(id, {
      id,
      name,
      mhz: row.required("mhz"),
      note: row.text("note"),
      kernels: words(row.text("kernels")),
      guest: row.text("guest") === "1",
      costs,
      fits: fits.get(id) ?? [],
    });
  }
  return { profiles, refused };
}
