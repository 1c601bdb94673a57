// What things cost on one processor under one kernel: every primitive in cycles, after drawing and fitting.
import { InputError } from "../errors.ts";
import { CLASSES } from "../traces/schema/enums.ts";
import type { BodyTerm, Work } from "./bodies.ts";
import { CAUSE_COUNT } from "./causes.ts";
import type { ModelData } from "./data.ts";
import type { Change } from "./hypervisors.ts";
import type { Kernel } from "./kernels.ts";
import type { Profile } from "./profiles.ts";
import { type Draws, NOMINAL } from "./random.ts";
import { within } from "./ranges.ts";
import { callRoute, type Mechanism, type Routes } from "./routes.ts";

/** Path components of a look-up whose length is not known. */
export const DEFAULT_COMPONENTS = 3;

/** What the processor does when it goes into the kernel. */
const TRAPS: ReadonlySet<string> = new Set(["hw.int_3to0", "hw.int_0to0", "hw.sysenter", "hw.syscall"]);

/** Values set by the user, by key: primitives (`hw.sysenter`), CPI (`cpi.load`), bodies (`body.open.a`). */
export type Overrides = ReadonlyMap<string, number>;

/** Said when a number that is needed does not exist; the message begins with n/a (there is no such thing) or unknown. */
export class NoData extends Error {
  override readonly name = "NoData";
}

/** Prices of one processor under one kernel for one set of draws. */
export class Prices {
  readonly data: ModelData;
  readonly profile: Profile;
  readonly kernel: Kernel;
  readonly #draws: Draws;
  readonly #primitives = new Map<string, number>();
  readonly #bodies = new Map<string, number>();
  readonly #overrides: Overrides;
  /** What a hypervisor does to costs; nothing while costs are solved from totals, which were measured without one. */
  #changes: ReadonlyMap<string, Change> = new Map();
  /** Fits whose known parts already exceed the total, so that nothing was left for the unknown one. */
  readonly overdrawn: string[] = [];

  constructor(
    data: ModelData,
    profile: Profile,
    kernel: Kernel,
    draws: Draws = NOMINAL,
    overrides: Overrides = new Map(),
  ) {
    this.data = data;
    this.profile = profile;
    this.kernel = kernel;
    this.#draws = draws;
    this.#overrides = new Map();
    for (const [key, cost] of profile.costs) {
      if (cost.value !== null) this.#primitives.set(key, within(cost, draws(key)));
    }
    this.#fit();
    this.#overrides = overrides;
    this.#changes = data.hypervisor?.changes ?? this.#changes;
  }

  /** Solves the fitted costs, in order, from the published totals. */
  #fit(): void {
    for (const fit of this.profile.fits) {
      const kernel = this.data.kernels.get(fit.kernel);
      if (kernel === undefined) throw new InputError(`costs/fits.csv: no kernel ${fit.kernel}`);
      for (const key of fit.solves) this.#setSolved(kernel, key, 0);
      const known = this.nullCall(kernel, fit.mechanism, fit.call, fit.inline);
      const target = within(fit, this.#draws(fit.group === "" ? `fit.${fit.solves[0]}` : `group.${fit.group}`));
      const rest = target - known;
      if (rest < 0 && !this.#shrink(kernel, fit.solves, -rest)) this.overdrawn.push(`${fit.call} by ${fit.mechanism}`);
      for (const key of fit.solves) this.#setSolved(kernel, key, Math.max(0, rest) / fit.solves.length);
    }
  }

  /**
   * Takes cycles from what else a solved body has (its look-ups and items), so that the total is still reached when no constant is left.
   * Says whether there were so many.
   */
  #shrink(kernel: Kernel, solves: readonly string[], excess: number): boolean {
    const [, name] = solves[0].split(".");
    if (solves.length !== 1 || !solves[0].startsWith("body.")) return false;
    const own = this.leastBody(name, kernel);
    if (own <= 0 || own < excess) return false;
    for (const term of ["items", "components"] as const)
      this.#bodies.set(`${kernel.bodies} body.${name}.${term}`, this.body(name, term, kernel) * (1 - excess / own));
    return true;
  }

  #setSolved(kernel: Kernel, key: string, value: number): void {
    if (key.startsWith("body.")) this.#bodies.set(`${kernel.bodies} ${key}`, value);
    else this.#primitives.set(key, value);
  }

  /** Cycles of a primitive, under a hypervisor if there is one. Throws NoData with the reason when there is none. */
  primitive(key: string): number {
    const set = this.#overrides.get(key);
    if (set !== undefined) return set;
    const value = this.#native(key);
    const change = this.#changes.get(key);
    if (change === undefined) return value;
    const by = within(change, this.#draws(`hypervisor ${key}`));
    return change.times ? value * by : value + by;
  }

  /** Cycles of a primitive on the bare processor. */
  #native(key: string): number {
    const cost = this.profile.costs.get(key);
    if (cost === undefined && this.data.parameters.has(key)) return this.#parameter(key);
    if (cost === undefined) throw new NoData(`unknown: ${this.profile.id} has no cost ${key}`);
    const value = this.#primitives.get(key);
    if (value === undefined) throw new NoData(`${cost.range === "none" ? "n/a" : "unknown"}: ${cost.source}`);
    return cost.of === "" ? value : value * (this.#overrides.get(cost.of) ?? this.#native(cost.of));
  }

  /** A number that belongs to no processor. It is drawn when it is asked for: most answers need none. */
  #parameter(key: string): number {
    let value = this.#primitives.get(key);
    if (value === undefined) {
      value = within(this.data.parameters.get(key)!, this.#draws(key));
      this.#primitives.set(key, value);
    }
    return value;
  }

  /** Cycles of every instruction class, in the order of CLASSES. */
  cpi(): Float64Array {
    return Float64Array.from(CLASSES, (name) => this.primitive(`cpi.${name}`));
  }

  /** Cycles of one term of a body. A call of its own name goes before its class. */
  body(name: string, term: Work, kernel: Kernel = this.kernel): number {
    const key = `body.${name}.${term}`;
    const set = this.#overrides.get(key);
    if (set !== undefined) return set;
    const solved = this.#bodies.get(`${kernel.bodies} ${key}`);
    if (solved !== undefined) return solved;
    const found = this.data.bodies
      .get(kernel.bodies)
      ?.get(name)
      ?.find((row) => row.term === term);
    return found === undefined ? 0 : within(found, this.#draws(`${kernel.bodies} ${key}`)) * this.#scale(found);
  }

  /** Does this body have a cost function of its own? */
  hasBody(name: string, kernel: Kernel = this.kernel): boolean {
    return (
      this.data.bodies.get(kernel.bodies)?.has(name) === true ||
      this.#bodies.has(`${kernel.bodies} body.${name}.a`) ||
      this.#overrides.has(`body.${name}.a`)
    );
  }

  /** Cycles of a call's body with the least work: nothing copied, one thing asked of it, a path of the usual length. */
  leastBody(call: string, kernel: Kernel = this.kernel): number {
    const name = this.bodyOf(call, kernel);
    const of = (term: Work): number => this.body(name, term, kernel);
    return of("a") + of("items") + DEFAULT_COMPONENTS * of("components");
  }

  /** Whose cost function a call has: its own, else that of its class. */
  bodyOf(name: string, kernel: Kernel = this.kernel): string {
    return this.hasBody(name, kernel) ? name : (this.data.calls.get(name)?.class ?? name);
  }

  /** Cycles here for one unit of a body's row: the same kernel code at this processor's cycles an instruction. */
  #scale(row: BodyTerm): number {
    const here = this.primitive("kernel.cpi");
    if (row.on === "") return here;
    if (this.profile.id === row.on || this.#isMember(row.on)) return 1;
    const there = this.data.profiles.get(row.on)?.costs.get("kernel.cpi");
    if (there?.value == null) throw new InputError(`bodies: no processor ${row.on} to scale from`);
    return here / there.value;
  }

  /** Is this processor one of those that `envelope` spans? */
  #isMember(envelope: string): boolean {
    return this.profile.id.startsWith(`${envelope}-`);
  }

  /** How a mechanism enters the kernel. */
  routes(mechanism: Mechanism): Routes {
    const routes = this.data.mechanisms.get(mechanism);
    if (routes === undefined) throw new InputError(`no mechanism "${mechanism}"`);
    return routes;
  }

  /** How often a path of a route is taken per call: "PATH/batch" once a batch, unless the kernel polls; "PATH/poll" when it does. */
  #share(kind: string | undefined): number {
    if (kind === undefined) return 1;
    const polls = this.primitive("batch.poll") > 0;
    if (kind === "poll") return polls ? 1 : 0;
    return polls ? 0 : 1 / Math.max(1, this.primitive("batch.size"));
  }

  /** How much of a trap a route is: 1 when it goes through a gate or SYSENTER or SYSCALL, its share in a batch, 0 for a call. */
  trapShare(route: readonly string[]): number {
    let most = 0;
    for (const word of route) {
      const [path, kind] = word.split("/");
      const items = this.kernel.paths.get(path.replace("?", "")) ?? [];
      if (items.some(({ primitive }) => TRAPS.has(primitive))) most = Math.max(most, this.#share(kind));
    }
    return most;
  }

  /**
   * Cycles that returns of the program lose besides those of the first one, when a trap has done so much work: the body has displaced
   * what foretells them, up to a length at which nothing is left of it. Nothing where a route has no such return.
   */
  repair(route: readonly string[], kernel: Kernel = this.kernel): { share: number; most: number } {
    let share = 0;
    for (const word of route) {
      const [path, kind] = word.split("/");
      const items = kernel.paths.get(path.replace("?", "")) ?? [];
      if (items.some(({ primitive }) => primitive === "rsb.user")) share = Math.max(share, this.#share(kind));
    }
    return share === 0
      ? { share, most: 0 }
      : { share: share * this.primitive("rsb.user_share"), most: this.primitive("rsb.user_body") };
  }

  /** Cycles, by cause, of a route with so many arguments pushed; `exitOnly`: of the way out alone. */
  paths(route: readonly string[], args = 0, exitOnly = false, kernel: Kernel = this.kernel): Float64Array {
    const cycles = new Float64Array(CAUSE_COUNT);
    for (const word of route) {
      const [path, kind] = word.split("/");
      const name = path.replace("?", "");
      const items = kernel.paths.get(name);
      const share = this.#share(kind);
      if (items === undefined && path !== name) continue;
      if (items === undefined) throw new NoData(`n/a: ${kernel.id} has no path ${name}`);
      if (share === 0) continue;
      for (const { exit, cause, primitive, count, perArgument } of items) {
        const amount = count + perArgument * args;
        if (amount > 0 && (exit || !exitOnly)) cycles[cause] += share * amount * this.primitive(primitive);
      }
    }
    return cycles;
  }

  /**
   * Cycles of calls (open+close) that do the least: what a microbenchmark of them shows; "-": the way in and out
   * alone. By int80 the trap is inline, as it was measured; `inline` makes it so for others.
   */
  nullCall(kernel: Kernel, mechanism: Mechanism, names: string, inline = mechanism === "int80"): number {
    let cycles = 0;
    for (const name of names.split("+")) {
      const call = name === "-" ? { special: false, args: 0 } : this.data.calls.get(name);
      if (call === undefined) throw new InputError(`no system call ${name}`);
      const noUring = name !== "-" && !this.data.uring.has(name);
      const site = { inline, special: call.special, args: call.args, sigreturn: false, noUring };
      const route = callRoute(this.routes(mechanism), site);
      const way = this.paths(route, call.args, false, kernel);
      const body = name === "-" ? 0 : this.leastBody(name, kernel);
      const { share, most } = this.repair(route, kernel);
      cycles += way.reduce((sum, part) => sum + part, 0) + body + share * Math.min(body, most);
    }
    return cycles;
  }
}

/** Why a mechanism cannot be had here, or undefined when it can. Needed primitives without data are the reason too. */
export function impossible(prices: Prices, mechanism: Mechanism): string | undefined {
  const { kernel, profile } = prices;
  if (profile.kernels.length > 0 && !profile.kernels.includes(kernel.id)) {
    return `unknown: ${profile.id} was measured under ${profile.kernels.join(", ")} only, and its ways in were not split into hardware and kernel code`;
  }
  if (kernel.profiles.length > 0 && !kernel.profiles.includes(profile.like ?? profile.id)) {
    return `unknown: the ways in of ${kernel.id} are known only as one sum on ${kernel.profiles.join(", ")}`;
  }
  const routes = prices.routes(mechanism);
  if (routes.target !== "" && routes.target !== kernel.target)
    return `n/a: ${mechanism} is a way of ${routes.target} programs, ${kernel.id} runs ${kernel.target} ones`;
  if (routes.way !== "" && !kernel.ways.includes(routes.way))
    return `n/a: ${kernel.id} has no ${routes.way}: ${kernel.note}`;
  const under = prices.data.hypervisor;
  if (under !== undefined) {
    if (profile.guest) return `n/a: ${profile.id} was itself measured under a hypervisor`;
    if (under.target !== "" && under.target !== kernel.target)
      return `n/a: ${under.id} is known for ${under.target} guests only`;
    if (routes.ring0 && under.refusesRing0 !== "") return `unknown: ${under.refusesRing0}`;
  }
  const site = { special: false, args: 1, sigreturn: false };
  try {
    prices.paths(callRoute(routes, { ...site, inline: false }), 1);
    prices.paths(callRoute(routes, { ...site, inline: true }), 1);
  } catch (error) {
    if (error instanceof NoData) return error.message;
    throw error;
  }
  return undefined;
}

/** Every cost that can be set, of this processor and kernel. */
export function settableKeys(data: ModelData, profile: Profile, kernel: Kernel): string[] {
  const bodies = [...(data.bodies.get(kernel.bodies) ?? [])].flatMap(([name, terms]) =>
    terms.map(({ term }) => `body.${name}.${term}`),
  );
  const solved = profile.fits.flatMap((fit) => fit.solves).filter((key) => key.startsWith("body."));
  return [...profile.costs.keys(), ...new Set([...bodies, ...solved])];
}
