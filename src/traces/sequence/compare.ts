// Two runs of one program, task by task and call by call: what is the same, what differs, and which differences have a reason.
import type { CallTable } from "../calls.ts";
import { KIND } from "../schema/enums.ts";
import type { Trace } from "../trace.ts";
import { align } from "./align.ts";
import { type Allowed, aliases, type Place } from "./allowed.ts";
import { TaskCalls } from "./calls.ts";
import { matchTasks } from "./tasks.ts";

/** Differences of a task that are looked for; one that has more is another program. */
const MOST = 20_000;

export interface Difference {
  /** The task, by its place in the tree. */
  readonly task: string;
  /** task: only one run has it; call: only one run makes it; error, result: both make it, with other ends; site: both
   * make it, from another kind of place. */
  readonly kind: "task" | "call" | "error" | "result" | "site";
  readonly call: string;
  /** Place among the task's calls in each run; null: not there. */
  readonly one: number | null;
  readonly two: number | null;
  /** What each run has there. */
  readonly what: string;
  /** Why runs may differ in this; null: nothing explains it. */
  readonly reason: string | null;
}

export interface ComparedTask {
  readonly task: string;
  readonly ones: number;
  readonly twos: number;
  /** Calls that stand in both, with the same error if any. */
  readonly same: number;
}

export interface SequenceComparison {
  readonly tasks: readonly ComparedTask[];
  readonly differences: readonly Difference[];
  readonly explained: boolean;
}

/** One run's calls of a task, and where among them its programs start. */
interface Side {
  readonly run: TaskCalls;
  readonly seqs: Int32Array;
  readonly names: readonly string[];
  /** Is this call made by the loader, that is, before the program's thread area is set? */
  readonly loading: Uint8Array;
}

function side(run: TaskCalls, task: number, handlers: boolean, names: ReadonlyMap<string, string>): Side {
  const seqs = run.of(task, handlers);
  const own = Array.from(seqs, (seq) => {
    const name = run.name(seq);
    return names.get(name) ?? name;
  });
  const loading = new Uint8Array(seqs.length);
  const { parentTask } = run.trace.tasks[task];
  // A task that nothing with calls began starts with a program; a fork is in the middle of one.
  let from = parentTask === null || run.of(parentTask).length === 0 ? 0 : -1;
  for (let i = 0; i < seqs.length; i++) {
    if (own[i] === "execve" && run.error(seqs[i]) === "") from = i + 1;
    else if (own[i] === "set_thread_area" && from >= 0) {
      loading.fill(1, from, i);
      from = -1;
    }
  }
  return { run, seqs, names: own, loading };
}

/** Does a trace say where signal handlers begin? One without any signal has none to say. */
function knowsHandlers({ events }: Trace): boolean {
  let returns = false;
  for (const kind of events.kind) {
    if (kind === KIND.signal) return true;
    if (kind === KIND.sigreturn) returns = true;
  }
  return !returns;
}

/** Compares the runs. `allowed`: the differences that have a reason, the first row that holds says which. */
export function compareSequences(
  one: Trace,
  two: Trace,
  calls: CallTable,
  allowed: readonly Allowed[],
): SequenceComparison {
  const handlers = knowsHandlers(one) && knowsHandlers(two);
  const [ones, twos] = [new TaskCalls(one, calls, handlers), new TaskCalls(two, calls, handlers)];
  const names = aliases(allowed);
  const tasks: ComparedTask[] = [];
  const differences: Difference[] = [];
  for (const pair of matchTasks(ones, twos)) {
    const { place } = pair;
    if (pair.one === null || pair.two === null) {
      const [run, task] = pair.one === null ? [twos, pair.two!] : [ones, pair.one];
      const count = run.of(task).length;
      tasks.push({ task: place, ones: pair.one === null ? 0 : count, twos: pair.one === null ? count : 0, same: 0 });
      const what = `only in the ${pair.one === null ? "second" : "first"}, with ${count} calls`;
      differences.push({ task: place, kind: "task", call: "", one: null, two: null, what, reason: null });
      continue;
    }
    const ofPair: Open[] = [];
    for (const within of [false, true]) {
      const sides = [side(ones, pair.one, within, names), side(twos, pair.two, within, names)] as const;
      const [a, b] = sides.map(({ seqs }) => seqs.length);
      if (within && a + b === 0) continue;
      const task = within ? `${place}, in signal handlers` : place;
      const found = new TaskDifferences(task, sides, within, !place.includes("/"));
      tasks.push({ task, ones: a, twos: b, same: found.find() });
      for (const difference of found.open()) ofPair.push(difference);
    }
    for (const difference of explain(ofPair, allowed)) differences.push(difference);
  }
  return { tasks, differences, explained: differences.every(({ reason }) => reason !== null) };
}

/** The differences of one task. */
class TaskDifferences {
  readonly #task: string;
  readonly #sides: readonly [Side, Side];
  readonly #found: Difference[] = [];
  readonly #isHandler: boolean;
  readonly #isFirst: boolean;
  #cut = false;

  constructor(task: string, sides: readonly [Side, Side], isHandler: boolean, isFirst: boolean) {
    this.#task = task;
    this.#sides = sides;
    this.#isHandler = isHandler;
    this.#isFirst = isFirst;
  }

  /** Looks for them; gives how many calls are the same. */
  find(): number {
    const [a, b] = this.#sides;
    const numbers = new Map<string, number>();
    const keys = ({ names, run, seqs }: Side): Int32Array =>
      Int32Array.from(seqs, (seq, i) => {
        const key = `${names[i]} ${run.error(seq)}`;
        if (!numbers.has(key)) numbers.set(key, numbers.size);
        return numbers.get(key)!;
      });
    const { gaps, cut } = align(keys(a), keys(b), MOST);
    this.#cut = cut;
    let [x, y, same] = [0, 0, 0];
    const alike = (until: number): void => {
      for (; x < until; x++, y++, same++) this.#results(x, y);
    };
    for (const { one, ones, two, twos } of gaps) {
      alike(one);
      this.#gap(one, one + ones, two, two + twos);
      [x, y] = [one + ones, two + twos];
    }
    if (!cut) alike(a.seqs.length);
    return same;
  }

  #add(kind: Difference["kind"], call: string, one: number | null, two: number | null, what: string): void {
    this.#found.push({ task: this.#task, kind, call, one, two, what, reason: null });
  }

  /** Calls that both make with no or the same error: are their results the same too? */
  #results(x: number, y: number): void {
    const [a, b] = this.#sides;
    const [one, two] = [a.run.result(a.seqs[x]), b.run.result(b.seqs[y])];
    // What one run does not say differs from nothing.
    if (one !== two && one !== "" && two !== "") this.#add("result", a.names[x], x, y, `${one} and ${two}`);
    const sites = [a.run.site(a.seqs[x]), b.run.site(b.seqs[y])];
    if (sites[0] !== sites[1] && !sites.includes("unknown")) this.#add("site", a.names[x], x, y, sites.join(" and "));
  }

  /** Stretches that stand against each other: calls of one name in the same order differ in their error, the others are in one run alone. */
  #gap(x: number, xEnd: number, y: number, yEnd: number): void {
    const [a, b] = this.#sides;
    const said = ({ run, seqs }: Side, i: number): string => run.error(seqs[i]) || run.result(seqs[i]) || "unknown";
    let from = y;
    for (let i = x; i < xEnd; i++) {
      let partner = from;
      while (partner < yEnd && b.names[partner] !== a.names[i]) partner++;
      if (partner === yEnd) {
        this.#add("call", a.names[i], i, null, said(a, i));
        continue;
      }
      for (; from < partner; from++) this.#add("call", b.names[from], null, from, said(b, from));
      this.#add("error", a.names[i], i, partner, `${said(a, i)} and ${said(b, partner)}`);
      from = partner + 1;
    }
    for (; from < yEnd; from++) this.#add("call", b.names[from], null, from, said(b, from));
  }

  /** The differences, without reasons. */
  open(): Open[] {
    const given: Open[] = this.#found.map((difference) => ({ ...difference, places: this.#places(difference) }));
    if (this.#cut) {
      const what = `more than ${MOST} differences; is this a run of the same program?`;
      given.push({ task: this.#task, kind: "task", call: "", one: null, two: null, what, reason: null, places: [] });
    }
    return given;
  }

  #places({ one, two }: Difference): Place[] {
    const [a, b] = this.#sides;
    const some = (of: (side: Side, at: number) => boolean): boolean =>
      (one !== null && of(a, one)) || (two !== null && of(b, two));
    const places: Place[] = ["anywhere", "moved"];
    if ((one ?? 0) === 0 && (two ?? 0) === 0 && this.#isFirst) places.push("launch");
    if (some(({ loading }, at) => loading[at] === 1)) places.push("loader");
    if (some(({ run, seqs }, at) => run.ofProc(seqs[at]))) places.push("proc");
    if (some(({ run, seqs }, at) => run.ofPipe(seqs[at]))) places.push("pipe");
    if (some(({ run, seqs }, at) => run.interrupted(seqs[at]))) places.push("interrupted");
    if (this.#isHandler) places.push("handler");
    return places;
  }
}

/** A difference whose reason is still looked for, and the places of the table that it stands at. */
type Open = { -readonly [Key in keyof Difference]: Difference[Key] } & { readonly places: readonly Place[] };

/** Gives the differences of a task their reasons: of the first row that holds. */
function explain(open: readonly Open[], allowed: readonly Allowed[]): Difference[] {
  for (const { kind, calls, place, reason } of allowed) {
    const held = open.filter(
      (d) => d.reason === null && d.kind === kind && calls.has(d.call) && d.places.includes(place),
    );
    if (place !== "moved") for (const difference of held) difference.reason = reason;
    else
      for (const name of calls)
        explainMoved(
          held.filter(({ call }) => call === name),
          reason,
        );
  }
  return open.map(({ places: _, ...difference }) => difference);
}

/** As many calls that one run makes earlier and the other later, or in a signal's handler. */
function explainMoved(calls: readonly Open[], reason: string): void {
  const first = calls.filter(({ one }) => one !== null);
  const second = calls.filter(({ one }) => one === null);
  const pairs = Math.min(first.length, second.length);
  for (const difference of [...first.slice(0, pairs), ...second.slice(0, pairs)]) difference.reason = reason;
}
