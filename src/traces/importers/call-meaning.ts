// What a finished call says beyond its name and result: tasks begun, programs run, objects, bytes, and on whom it depended.
import { EDGE, FLAG } from "../schema/enums.ts";
import { Descriptors, Flow } from "./descriptors.ts";
import type { ImportedEvents } from "./events.ts";
import { ROW } from "./rows.ts";
import { splitArguments } from "./strace-text.ts";
import type { ImportedTask, Process } from "./tasks.ts";

const EAGAIN = -11;
const ETIMEDOUT = -110;

/** Calls whose first string is a path to look up. */
const PATH_CLASSES: ReadonlySet<string> = new Set(["open", "stat", "access", "dirchange", "exec"]);
/** Tasks with more than this many waiting on one futex address are no longer matched. */
const MOST_WAITERS = 64;

/** Follows the meaning of calls whose arguments are text, as strace prints them. */
export class CallMeaning {
  readonly #into: ImportedEvents;
  readonly #descriptors = new Map<Process, Descriptors>();
  readonly #flows = new Map<number, Flow>();
  readonly #waiters = new Map<string, { event: number; done: boolean }[]>();
  #objects = 0;

  constructor(into: ImportedEvents) {
    this.#into = into;
  }

  /** The descriptors of a process, copied from what it was forked from when it is first met. */
  #of(process: Process): Descriptors {
    let found = this.#descriptors.get(process);
    if (found === undefined) {
      found = new Descriptors();
      this.#descriptors.set(process, found);
    }
    return found;
  }

  /** A task begins before the call that makes it ends: what it inherits must be known from its first call on. */
  inherit(parent: ImportedTask, child: ImportedTask): void {
    if (child.process !== parent.process) this.#of(child.process).copyFrom(this.#of(parent.process));
  }

  /** A call begins: only a futex wait says something then. */
  begun(task: ImportedTask, event: number, name: string, args: string): void {
    if (name.startsWith("futex") && args.includes("FUTEX_WAIT"))
      this.#waitersOf(task, args)?.push({ event, done: false });
  }

  /** A call ended with `ret` (NaN: nothing known); `after` is what the line says of the result. */
  ended(task: ImportedTask, event: number, name: string, args: string, ret: number, after: string): void {
    const into = this.#into;
    if (ret === EAGAIN || ret === ETIMEDOUT) into.flag(event, FLAG.timing_sensitive);
    switch (name) {
      case "fork":
      case "vfork":
      case "clone":
      case "clone2":
      case "clone3":
        if (ret > 0) this.#spawn(task, event, name, args, ret);
        return;
      case "execve":
      case "execveat":
        if (ret === 0) this.#exec(task, event, args);
        break;
      case "wait4":
      case "waitpid":
        if (ret > 0) this.#waited(event, ret);
        return;
      case "waitid":
        if (ret === 0) this.#waited(event, numberBehind(args, "si_pid="));
        return;
    }
    if (name.startsWith("futex")) {
      this.#futex(task, event, args, ret);
      return;
    }
    const kind = into.calls.class(name);
    if (PATH_CLASSES.has(kind)) {
      const path = firstString(args);
      if (path !== undefined) into.at(event).components[event & ROW] = components(path);
    }
    this.#files(task, event, name, kind, args, ret, after);
  }

  #spawn(task: ImportedTask, event: number, name: string, args: string, pid: number): void {
    const thread = args.includes("CLONE_THREAD");
    const sharesMemory = name === "vfork" || (args.includes("CLONE_VM") && !thread);
    const known = this.#into.tasks.find(pid);
    const child = this.#into.tasks.spawned(task, event, pid, { thread, sharesMemory });
    // What the child inherited is what the parent had when it called; a child seen before has it already.
    if (!thread && child !== known) this.inherit(task, child);
  }

  #exec(task: ImportedTask, event: number, args: string): void {
    this.#of(task.process).exec();
    this.#into.tasks.exec(task, event, firstString(args) ?? null);
  }

  #waited(event: number, pid: number): void {
    const child = this.#into.tasks.latest(pid);
    if (child !== undefined) this.#into.depends(event, child, EDGE.child);
  }

  #waitersOf(task: ImportedTask, args: string): { event: number; done: boolean }[] | undefined {
    const address = args.slice(0, Math.max(0, args.indexOf(",")));
    if (!address.startsWith("0x")) return undefined;
    const key = `${task.leader.number} ${address}`;
    let list = this.#waiters.get(key);
    if (list === undefined) {
      list = [];
      this.#waiters.set(key, list);
    }
    return list.length > MOST_WAITERS ? undefined : list;
  }

  #futex(task: ImportedTask, event: number, args: string, ret: number): void {
    const list = this.#waitersOf(task, args);
    if (list === undefined) return;
    if (args.includes("FUTEX_WAIT")) {
      const mine = list.findIndex((waiter) => waiter.event === event);
      if (mine < 0) return;
      if (ret === 0) list[mine].done = true;
      else list.splice(mine, 1);
      return;
    }
    if (!args.includes("FUTEX_WAKE") || !(ret > 0)) return;
    // Certain only when it woke all that waited, or as many as were seen to wake.
    const done = list.filter((waiter) => waiter.done);
    const woken = ret >= list.length ? list : done.length === ret ? done : [];
    for (const waiter of woken) this.#into.depends(waiter.event, event, EDGE.futex);
    for (const waiter of [...woken]) list.splice(list.indexOf(waiter), 1);
  }

  /** The object that a descriptor argument stands for: by its path (-y), else by what was followed. */
  #objectOf(task: ImportedTask, word: string): number {
    const fd = Number.parseInt(word, 10);
    if (!(fd >= 0)) return -1;
    const open = word.indexOf("<");
    const label = open < 0 ? "" : word.slice(open + 1, word.endsWith(">") ? -1 : undefined);
    return label === "" ? this.#of(task.process).get(fd) : this.#labelled(label);
  }

  #labelled(label: string): number {
    const into = this.#into;
    if (label.startsWith("pipe:")) return into.object("pipe", label, null);
    if (label.startsWith("anon_inode:")) return into.object("anon", label, label);
    if (label.startsWith("/dev/")) return into.object("device", label, label);
    if (label.startsWith("/")) return into.object("file", label, label);
    return into.object("socket", label, label);
  }

  #files(
    task: ImportedTask,
    event: number,
    name: string,
    kind: string,
    args: string,
    ret: number,
    after: string,
  ): void {
    const into = this.#into;
    const open = this.#of(task.process);
    if (kind === "read" || kind === "write") {
      const words = splitArguments(args);
      if (words.length === 0) return;
      const obj = this.#objectOf(task, words[0]);
      if (obj >= 0) into.about(event, obj);
      if (!(ret >= 0)) return;
      into.moved(event, ret);
      const asked = words.length >= 3 ? Number(words[2]) : Number.NaN;
      const isPipe = obj >= 0 && into.objects[obj].type === "pipe";
      if (ret < asked) into.flag(event, isPipe ? FLAG.short | FLAG.timing_sensitive : FLAG.short);
      if (!isPipe) return;
      const pairs = kind === "read" ? this.#flow(obj).read(event, ret) : this.#flow(obj).write(event, ret);
      if (kind === "read" && ret === 0) return;
      for (const { to, from } of pairs) into.depends(to, from, EDGE.data);
      return;
    }
    if (!(ret >= 0)) return;
    if (kind === "open" && ret < 0x7fffffff) {
      const label = after.startsWith("<") ? after.slice(1, after.lastIndexOf(">")) : firstString(args);
      const obj = label === undefined ? -1 : this.#labelled(label.startsWith("/") ? label : `/${label}`);
      if (obj >= 0) {
        into.about(event, obj);
        open.set(ret, obj, args.includes("CLOEXEC"));
      }
      return;
    }
    switch (name) {
      case "close":
        open.close(Number.parseInt(args, 10));
        return;
      case "dup":
        open.duplicate(Number.parseInt(args, 10), ret, false);
        return;
      case "dup2":
      case "dup3":
        open.duplicate(Number.parseInt(args, 10), ret, args.includes("O_CLOEXEC"));
        return;
      case "fcntl":
      case "fcntl64":
        if (args.includes("F_DUPFD")) open.duplicate(Number.parseInt(args, 10), ret, args.includes("F_DUPFD_CLOEXEC"));
        return;
      case "pipe":
      case "pipe2":
        this.#pair("pipe", open, args);
        return;
      case "socketpair":
        this.#pair("socket", open, args);
        return;
      case "socket":
      case "accept":
      case "accept4":
        open.set(ret, this.#fresh("socket"), args.includes("CLOEXEC"));
        return;
      case "splice":
      case "tee":
      case "sendfile":
      case "sendfile64":
        for (const word of splitArguments(args)) {
          const obj = this.#objectOf(task, word);
          if (obj >= 0 && into.objects[obj].type === "pipe") this.#flow(obj).lost = true;
        }
    }
  }

  #fresh(type: "pipe" | "socket"): number {
    return this.#into.object(type, `#${this.#objects++}`, null);
  }

  #flow(obj: number): Flow {
    let flow = this.#flows.get(obj);
    if (flow === undefined) {
      flow = new Flow();
      this.#flows.set(obj, flow);
    }
    return flow;
  }

  /** `[3, 4]` among the arguments: two descriptors of one new object. */
  #pair(type: "pipe" | "socket", open: Descriptors, args: string): void {
    const from = args.lastIndexOf("[");
    const to = args.indexOf("]", from);
    if (from < 0 || to < 0) return;
    const ends = args
      .slice(from + 1, to)
      .split(",")
      .map((word) => Number.parseInt(word, 10));
    if (ends.length !== 2 || ends.some((fd) => !(fd >= 0))) return;
    const obj = this.#fresh(type);
    for (const fd of ends) open.set(fd, obj, args.includes("CLOEXEC"));
  }
}

/** The first string among the arguments, without its quotes; undefined: there is none, or only its beginning. */
export function firstString(args: string): string | undefined {
  const open = args.indexOf('"');
  if (open < 0) return undefined;
  for (let at = open + 1; at < args.length; at++) {
    const char = args[at];
    if (char === "\\") at++;
    else if (char === '"') return args.startsWith("...", at + 1) ? undefined : args.slice(open + 1, at);
  }
  return undefined;
}

/** How many names are looked up for a path. */
export function components(path: string): number {
  let count = 0;
  for (let from = 0; from < path.length; ) {
    const slash = path.indexOf("/", from);
    const end = slash < 0 ? path.length : slash;
    if (end > from && !(end === from + 1 && path[from] === ".")) count++;
    from = end + 1;
  }
  return count;
}

function numberBehind(text: string, mark: string): number {
  const at = text.indexOf(mark);
  return at < 0 ? Number.NaN : Number.parseInt(text.slice(at + mark.length), 10);
}
