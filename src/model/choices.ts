// What a question may name: processors, kernels, mechanisms and settings, each wrong one answered with the right ones.
import { InputError } from "../errors.ts";
import { SITE_SHARE } from "./call-sites.ts";
import type { ModelData } from "./data.ts";
import type { Kernel } from "./kernels.ts";
import { settableKeys } from "./prices.ts";
import type { Profile } from "./profiles.ts";
import type { Mechanism } from "./routes.ts";

/** Keys of the machine that can be set beside costs. */
const MACHINE_KEYS = ["mhz", "hz", "quantum_us"] as const;

/** Every key that may be set for some processors and kernels. */
export function settable(data: ModelData, profiles: readonly Profile[], kernels: readonly Kernel[]): string[] {
  const keys = new Set<string>([...MACHINE_KEYS, ...data.parameters.keys()]);
  for (const profile of profiles)
    for (const kernel of kernels) for (const key of settableKeys(data, profile, kernel)) keys.add(key);
  return [...keys].sort();
}

function atLeastOne(what: string, names: readonly string[]): void {
  if (names.length === 0) throw new InputError(`name at least one ${what}`);
}

/** Processors by name. Throws InputError for one that does not exist or has no data. */
export function pickProfiles(data: ModelData, names: readonly string[]): Profile[] {
  atLeastOne("profile", names);
  return names.map((name) => {
    const why = data.refused.get(name);
    if (why !== undefined) throw new InputError(`no data for profile ${name}: ${why}`);
    const profile = data.profiles.get(name);
    if (profile === undefined)
      throw new InputError(`no profile "${name}"; there are ${[...data.profiles.keys()].join(", ")}`);
    return profile;
  });
}

/** Kernels by name. Throws InputError for one that does not exist. */
export function pickKernels(data: ModelData, names: readonly string[]): Kernel[] {
  atLeastOne("kernel", names);
  return names.map((name) => {
    const kernel = data.kernels.get(name);
    if (kernel === undefined)
      throw new InputError(`no kernel "${name}"; there are ${[...data.kernels.keys()].join(", ")}`);
    return kernel;
  });
}

/** Mechanisms by name. Throws InputError for one that does not exist. */
export function pickMechanisms(data: ModelData, names: readonly string[]): Mechanism[] {
  atLeastOne("mechanism", names);
  return names.map((name) => {
    if (!data.mechanisms.has(name))
      throw new InputError(`no mechanism "${name}"; there are ${[...data.mechanisms.keys()].join(", ")}`);
    return name;
  });
}

/** Instruction sets that a program can be taken as compiled for. */
export const TARGETS = ["i386", "x86-64"] as const;

/** The processor of an answer that names none. Throws InputError for a target that does not exist. */
export function defaultProfile(target = "i386"): string {
  if (!(TARGETS as readonly string[]).includes(target))
    throw new InputError(`no target "${target}"; there are ${TARGETS.join(", ")}`);
  return target === "i386" ? "p4" : "zen4";
}

/**
 * Kernel Mode Linux 4.0; on a processor that was measured under some kernels only, the one of them where programs run in ring 0, of the
 * target if it has one.
 */
export function defaultKernel(data: ModelData, profile: Profile, target?: string): string {
  const own = profile.kernels.map((id) => data.kernels.get(id)!);
  const fitting = own.filter((kernel) => kernel.target === target);
  const among = fitting.length > 0 ? fitting : own;
  return (among.find(({ kml }) => kml) ?? among[0])?.id ?? "kml-4.0";
}

/** The mechanisms of an answer that names none: those of the kernels' programs. */
export function defaultMechanisms(kernels: readonly Kernel[]): string[] {
  const old = kernels.some(({ target }) => target === "i386");
  const modern = kernels.some(({ target }) => target === "x86-64");
  return [...(old ? ["int80", "sysenter", "kml"] : []), ...(modern ? ["syscall", "kml-amd64", "ukl"] : [])];
}

/** What a question names; what it leaves out has a default. */
export interface Question {
  readonly profiles?: readonly string[];
  readonly kernels?: readonly string[];
  readonly mechanisms?: readonly string[];
  readonly target?: string;
  readonly set?: ReadonlyMap<string, number>;
}

/** A question with all its names looked up. */
export interface Asked {
  readonly profiles: readonly Profile[];
  readonly kernels: readonly Kernel[];
  readonly mechanisms: readonly Mechanism[];
  /** Each processor under each of its kernels. */
  readonly pairs: readonly { readonly profile: Profile; readonly kernel: Kernel }[];
  readonly set: ReadonlyMap<string, number>;
  /** What the processors and kernels are, by their short names. */
  readonly names: Readonly<Record<string, string>>;
}

/** Looks up what a question names. Throws InputError for what does not exist or cannot be set. */
export function ask(data: ModelData, question: Question): Asked {
  const { target, set = new Map<string, number>() } = question;
  const profiles = pickProfiles(data, question.profiles ?? [defaultProfile(target)]);
  const pairs = profiles.flatMap((profile) =>
    pickKernels(data, question.kernels ?? [defaultKernel(data, profile, target)]).map((kernel) => ({
      profile,
      kernel,
    })),
  );
  const kernels = [...new Set(pairs.map(({ kernel }) => kernel))];
  const mechanisms = pickMechanisms(data, question.mechanisms ?? defaultMechanisms(kernels));
  checkSet(data, profiles, kernels, set);
  const names = Object.fromEntries([
    ...profiles.map(({ id, name, mhz }) => [id, `${name}, ${set.get("mhz") ?? mhz} MHz`]),
    ...kernels.map(({ id, name }) => [id, name]),
  ]);
  return { profiles, kernels, mechanisms, pairs, set, names };
}

/** Checks keys and values that the user set. */
export function checkSet(
  data: ModelData,
  profiles: readonly Profile[],
  kernels: readonly Kernel[],
  set: ReadonlyMap<string, number>,
): void {
  const valid = settable(data, profiles, kernels);
  for (const [key, value] of set) checkSetting(valid, key, value);
}

/** Checks one key and its value; `valid`: every key that may be set. */
export function checkSetting(valid: readonly string[], key: string, value: number): void {
  if (!valid.includes(key)) throw new InputError(`nothing to set is called "${key}"; there are ${valid.join(", ")}`);
  if (!Number.isFinite(value) || value < 0) {
    throw new InputError(`${key}=${value}: costs are numbers that are not negative; keys are ${valid.join(", ")}`);
  }
  if (value < 1 && key === "batch.size") throw new InputError(`${key}=${value}: a batch has at least one call`);
  if (value > 1 && key === SITE_SHARE) throw new InputError(`${key}=${value}: it is a share; write at most 1`);
  if (value >= 1 && key === "pollution.depth")
    throw new InputError(`${key}=${value}: a program keeps some of its speed; write less than 1`);
  if (value === 0 && (key === "mhz" || key === "quantum_us" || key === "protection.user"))
    throw new InputError(`${key}=0: it must be more than 0`);
}
