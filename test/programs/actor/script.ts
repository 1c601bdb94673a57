// A script for the actor (test/fixtures/actor) as it is written: strands and routines, each a list of lines.
import { syscallByName } from "../../../src/emu/kernel/syscalls.ts";
import type { Random } from "../random.ts";

/** A word of a line: a number, or one with a letter (b: address in the strand's buffer, w: address of a shared word, p: pid, ...). */
export type Word = number | string;

const STRANDS = 32;
const SECTIONS = 64;
const WORDS = 126;
const FIRST_FD = 20;
const LAST_FD = 98;

/** Section numbers, shared words and descriptors are given out once each; strand 0 is the first process. */
export class Script {
  /** Where what is left to chance comes from; each episode has its own. */
  random: Random;
  readonly main: Section;
  private readonly sections = new Map<number, Section>();
  private strands = 0;
  private routines = STRANDS;
  private words = 0;
  private fds = FIRST_FD;

  constructor(random: Random) {
    this.random = random;
    // A session of its own, wherever it was started, and it is the one that takes orphans.
    this.main = this.strand().quiet("setsid").text(0, "/tmp").quiet("chdir", "b0");
  }

  /** What a new process or thread does. */
  strand(): Section {
    return this.section(this.strands++);
  }

  /** What a handler does, or what is done again and again. */
  routine(): Section {
    return this.section(this.routines++);
  }

  private section(number: number): Section {
    if (this.strands > STRANDS || number >= SECTIONS) throw new Error("too many sections");
    const section = new Section(this, number);
    this.sections.set(number, section);
    return section;
  }

  /** A shared word, the first of `n`: zero until somebody posts it. */
  word(n = 1): number {
    this.words += n;
    return this.words - n;
  }

  /** The number of a descriptor that nobody else uses. */
  fd(): number {
    return this.fds++;
  }

  /** Whether there is room for one more episode. */
  get roomy(): boolean {
    return (
      this.strands < STRANDS - 8 && this.routines < SECTIONS - 8 && this.words < WORDS - 30 && this.fds < LAST_FD - 14
    );
  }

  toString(): string {
    return [...this.sections].map(([n, { lines }]) => `@${n}\n${lines.join("")}`).join("");
  }
}

/** Lines of one section. The methods are the actor's letters; what a call returns is logged unless its method says otherwise. */
export class Section {
  readonly script: Script;
  readonly number: number;
  readonly lines: string[] = [];

  constructor(script: Script, number: number) {
    this.script = script;
    this.number = number;
  }

  /** Any line. */
  line(op: string, ...words: Word[]): this {
    this.lines.push(`${[op, ...words].join(" ")}\n`);
    return this;
  }

  private named(op: string, name: string, words: readonly Word[]): this {
    const entry = syscallByName(name);
    if (entry === undefined) throw new Error(`no call ${name}`);
    return this.line(op, entry.nr, ...words);
  }

  /** A call, through the vsyscall page or by an inline int 0x80. */
  call(name: string, ...words: Word[]): this {
    return this.named(this.script.random.oneIn(4) ? "k" : "c", name, words);
  }

  /** A call that is not logged. */
  quiet(name: string, ...words: Word[]): this {
    return this.named("q", name, words);
  }

  /** A call that returns a process. */
  process(name: string, ...words: Word[]): this {
    return this.named("p", name, words);
  }

  /** A call that makes a descriptor, which is moved to `fd`. */
  makes(fd: number, name: string, ...words: Word[]): this {
    return this.line("n", fd, syscallByName(name)!.nr, ...words);
  }

  pipe(reader: number, writer: number, flags = 0): this {
    return this.line("2", reader, writer, syscallByName("pipe2")!.nr, flags);
  }

  socketpair(one: number, other: number, type: number): this {
    return this.line("2", one, other, 1, type, 0);
  }

  /** Words in the strand's buffer. */
  set(at: number, ...words: Word[]): this {
    for (let i = 0; i < words.length; i += 6) this.line("=", at + 4 * i, ...words.slice(i, i + 6));
    return this;
  }

  text(at: number, text: string): this {
    return this.line('"', at, text);
  }

  /** Logs words of the buffer. */
  show(at: number, words: number): this {
    return this.line("o", at, words);
  }

  showText(at: number, bytes: number): this {
    return this.line("x", at, bytes);
  }

  /** How a signal is taken; the mask has the signals up to 32, or all of them (-1). */
  handle(signal: number, flags: number, mask: number, routine: Section | "default" | "ignore"): this {
    const n = routine === "default" ? -1 : routine === "ignore" ? -2 : routine.number;
    return this.line("H", signal, flags, mask, n);
  }

  fork(child: Section): this {
    return this.line("F", child.number);
  }

  thread(thread: Section): this {
    return this.line("T", thread.number);
  }

  join(thread: Section): this {
    return this.line("J", thread.number);
  }

  post(word: number): this {
    return this.line("P", word);
  }

  await(word: number, value = 1): this {
    return this.line("A", word, value);
  }

  /** Until a strand is asleep (S), stopped (T) or dead (Z). */
  until(strand: Section, state: "S" | "T" | "Z"): this {
    return this.line("Z", strand.number, state.charCodeAt(0));
  }

  /** Waits for a child and logs who it was and its status; its options and how it is named are wait4's. */
  reap(who: Word, options = 0): this {
    return this.set(2000, -1).process("wait4", who, "b2000", options, 0).show(2000, 1);
  }
}

/** A set of signals as its two words. */
export function signalSet(signals: readonly number[]): [number, number] {
  const set: [number, number] = [0, 0];
  for (const s of signals) set[s > 32 ? 1 : 0] |= 1 << ((s - 1) & 31);
  return set;
}
