// Schema 1.0, the one table of it: writer, reader, datapackage.json and docs/trace-format.md are all made from this.
import {
  ABIS,
  ACCESSES,
  CAUSES,
  CLASSES,
  EDGE_KINDS,
  FLAGS,
  KINDS,
  OBJECT_TYPES,
  PATHS,
  SITES,
  SOURCES,
} from "./enums.ts";
import type { ColumnsOf, Field, RowOf, Table } from "./field.ts";

/** Version written; a reader refuses a higher major version. */
export const SCHEMA_VERSION = "1.0";

const TASKS = {
  name: "tasks",
  path: "tasks.csv",
  is: "Everything that runs: one row per thread, numbered from 0 in order of creation and never reused.",
  key: ["task"],
  fields: {
    task: { hold: "row", is: "number of the task" },
    tgidTask: { hold: "id", refers: "tasks", is: "the first task of its thread group (its process)" },
    mm: { hold: "id", refers: "mms", is: "the address space it began with" },
    parentTask: { hold: "id", refers: "tasks", is: "the task that created it; empty for the first" },
    pid: { hold: "small", is: "the number the guest's kernel gave it (the thread's, not the group's)" },
    spawnSeq: { hold: "id", refers: "events", is: "the event (fork, vfork, clone) that created it" },
    exitSeq: { hold: "id", refers: "events", is: "its last event; empty if it was still running at the end" },
    status: {
      hold: "small",
      is: "wait status: exit code * 256, or the signal that killed it (128 added for a core dump)",
    },
    ring: { hold: "small", max: 3, is: "ring its program code began in: 0 or 3" },
    comm: { hold: "text", is: "its last name" },
    exe: { hold: "text", is: "the last executable it ran" },
  },
} as const satisfies Table;

const MMS = {
  name: "mms",
  path: "mms.csv",
  is: "Address spaces; an execve makes a new one.",
  key: ["mm"],
  optional: true,
  fields: {
    mm: { hold: "id", required: true, is: "number of the address space" },
    createdSeq: { hold: "id", refers: "events", is: "the event that made it; empty: it was there at the start" },
    fromMm: { hold: "id", refers: "mms", is: "the address space it was copied from (fork)" },
    endSeq: { hold: "id", refers: "events", is: "the event that freed it" },
  },
} as const satisfies Table;

const EXECS = {
  name: "execs",
  path: "execs.csv",
  is: "Successful execve calls.",
  key: ["task", "mm"],
  optional: true,
  fields: {
    task: { hold: "id", required: true, refers: "tasks", is: "the task" },
    seq: { hold: "id", refers: "events", is: "the event; empty for the program the run began with" },
    mm: { hold: "id", required: true, refers: "mms", is: "the new address space" },
    exe: { hold: "text", is: "path of the executable" },
    ring: { hold: "small", max: 3, is: "ring of the new program" },
  },
} as const satisfies Table;

const EVENTS = {
  name: "events",
  path: "events.csv.gz",
  is: "Every entry into the kernel (and every vDSO clock call), in order of entry.",
  key: ["seq"],
  fields: {
    seq: { hold: "row", is: "number of the event, from 0, in order of entry" },
    task: { hold: "id", required: true, refers: "tasks", is: "the task it belongs to" },
    cpu: { hold: "small", is: "the processor it happened on" },
    parent: { hold: "id", refers: "events", is: "the event it interrupts or nests in; empty: the program itself" },
    kind: { hold: "enum", required: true, names: KINDS, is: "what happened; switch: the task gets the CPU" },
    nr: {
      hold: "small",
      is: "call number (syscall, vdso, sigreturn, spawn, exec, exit), vector (fault, irq) or signal (signal); a call number beyond 2147483646 is written as 2147483647",
    },
    abi: { hold: "enum", names: ABIS, is: "whose call numbers" },
    site: { hold: "enum", names: SITES, is: "kind of place in the program that made the call" },
    path: { hold: "enum", names: PATHS, is: "the way taken into the kernel and out" },
    tIn: { hold: "count", required: true, unit: "clock", is: "time of entry; does not fall with seq" },
    tOut: { hold: "count", unit: "clock", is: "time of return to where it came from; empty: it never returned" },
    user: {
      hold: "count",
      unit: "instr",
      is: "program instructions of this task since its last event; the instructions of the ways in and out are not among them",
    },
    kinstr: { hold: "count", unit: "instr", is: "instructions on the way in and out" },
    charge: {
      hold: "count",
      unit: "clock",
      is: "fixed charges of the kernel body: the call's own, and by pages and signals",
    },
    blocked: { hold: "count", unit: "clock", is: "time the task waited or was not running within the event" },
    ret: { hold: "signed", is: "result, -errno for an error" },
    flags: { hold: "flags", names: FLAGS, is: "names joined by |; - for none" },
    bytes: { hold: "count", unit: "bytes", is: "bytes moved between program and kernel" },
    items: { hold: "count", is: "things handled: directory entries, descriptors polled, vectors" },
    components: { hold: "small", is: "path components looked up" },
    pages: { hold: "small", unit: "pages", is: "pages mapped, copied or freed" },
    cold: { hold: "small", is: "cache misses of the body (dentry, inode, page cache)" },
    obj: { hold: "id", refers: "objects", is: "the object it is about" },
    off: { hold: "count", unit: "bytes", is: "offset in the object" },
    addr: { hold: "count", is: "faulting linear address, or the address a call is about" },
    sp: {
      hold: "count",
      is: "the program's stack pointer at entry, behind anything the call itself pushed: where an entry in ring 0 pushes",
    },
    access: { hold: "enum", names: ACCESSES, is: "faults: the access that failed" },
    cause: { hold: "enum", names: CAUSES, is: "faults: what it was for; evictions and writes: whose page, why" },
  },
} as const satisfies Table;

const EDGES = {
  name: "edges",
  path: "edges.csv.gz",
  is: "What completions depended on, whether or not anything waited this time; sorted by `to`.",
  key: [],
  optional: true,
  fields: {
    to: { hold: "id", required: true, refers: "events", is: "the event that could not complete before" },
    from: { hold: "id", refers: "events", is: "the event that made it possible; empty: something outside the trace" },
    kind: { hold: "enum", required: true, names: EDGE_KINDS, is: "why" },
    delay: { hold: "count", unit: "clock", is: "timer: time until the deadline; device: service time" },
  },
} as const satisfies Table;

const OBJECTS = {
  name: "objects",
  path: "objects.csv",
  is: "Files, pipes and whatever else events and pages refer to.",
  key: ["obj"],
  optional: true,
  fields: {
    obj: { hold: "id", required: true, is: "number of the object" },
    type: { hold: "enum", names: OBJECT_TYPES, is: "what it is" },
    capacity: { hold: "count", unit: "bytes", is: "what a pipe or socket can hold" },
    size: { hold: "count", unit: "bytes", is: "size when first met" },
    label: { hold: "text", is: "its path or name" },
  },
} as const satisfies Table;

const PAGES = {
  name: "pages",
  path: "pages.csv.gz",
  is: "First touches of each page in each epoch, in order, and the page-cache touches of system calls.",
  key: ["epoch", "order"],
  optional: true,
  fields: {
    mm: { hold: "id", refers: "mms", is: "the address space; empty: a page-cache page touched by the kernel" },
    task: { hold: "id", required: true, refers: "tasks", is: "the task that ran" },
    epoch: { hold: "id", required: true, is: "number of the epoch: machine instructions / epoch_instr" },
    order: { hold: "id", required: true, is: "place within the epoch, from 0" },
    instr: {
      hold: "count",
      unit: "instr",
      is: "program instructions the task had executed (the running total of user)",
    },
    obj: { hold: "id", refers: "objects", is: "the file behind the page; empty: anonymous memory" },
    index: {
      hold: "count",
      unit: "pages",
      is: "page number in the object, or the linear page number of anonymous memory",
    },
    access: { hold: "enum", names: ACCESSES, is: "how" },
    source: { hold: "enum", names: SOURCES, is: "who" },
    dirty: { hold: "small", max: 1, is: "1: the page is dirty from here on" },
  },
} as const satisfies Table;

type MixClasses = {
  readonly [K in (typeof CLASSES)[number] as K extends "string_iter" ? "stringIter" : K]: CountField;
};
type CountField = { readonly hold: "count"; readonly unit: "instr"; readonly is: string };

const classMeaning: Readonly<Record<(typeof CLASSES)[number], string>> = {
  alu: "integer operations between registers",
  mul: "integer multiplications",
  div: "integer divisions",
  load: "instructions that read memory",
  store: "instructions that write memory",
  branch: "direct jumps and calls",
  indirect: "indirect jumps and calls",
  ret: "near returns",
  x87: "x87 instructions",
  simd: "MMX and SSE instructions",
  string_iter: "iterations of string instructions",
  seg: "segment register loads and far transfers",
  priv: "privileged and system instructions",
};

const classFields = Object.fromEntries(
  CLASSES.map((name) => [
    name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    { hold: "count", unit: "instr", is: classMeaning[name] } satisfies Field,
  ]),
) as MixClasses;

const MIX = {
  name: "mix",
  path: "mix.csv.gz",
  is: "Instructions by class, per task, epoch and ring.",
  key: ["task", "epoch", "ring"],
  optional: true,
  fields: {
    task: { hold: "id", required: true, refers: "tasks", is: "the task that ran" },
    epoch: { hold: "id", required: true, is: "number of the epoch" },
    ring: { hold: "small", required: true, max: 3, is: "ring the instructions ran in" },
    ...classFields,
  },
} as const satisfies Table;

const ARGS = {
  name: "args",
  path: "args.csv.gz",
  is: "Arguments of calls as text, for people.",
  key: ["seq"],
  optional: true,
  fields: {
    seq: { hold: "id", required: true, refers: "events", is: "the event" },
    text: { hold: "text", is: "its arguments" },
  },
} as const satisfies Table;

/** All tables, in the order of datapackage.json. */
export const TABLES = {
  tasks: TASKS,
  mms: MMS,
  execs: EXECS,
  events: EVENTS,
  edges: EDGES,
  objects: OBJECTS,
  pages: PAGES,
  mix: MIX,
  args: ARGS,
} as const;

export type TaskRow = RowOf<typeof TASKS>;
export type MmRow = RowOf<typeof MMS>;
export type ExecRow = RowOf<typeof EXECS>;
export type ObjectRow = RowOf<typeof OBJECTS>;
export type EventColumns = ColumnsOf<typeof EVENTS>;
export type EdgeColumns = ColumnsOf<typeof EDGES>;
export type PageColumns = ColumnsOf<typeof PAGES>;
export type MixColumns = ColumnsOf<typeof MIX>;
