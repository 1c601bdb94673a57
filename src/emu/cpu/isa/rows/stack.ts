// The stack: PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE.
import { EAX, EBP } from "../../state.ts";
import type { Row } from "../forms.ts";
import { add, and, constant, isZero, sub, zx } from "../ir.ts";
import type { Sem } from "../sem.ts";
import { ALL, row } from "./row.ts";

function push(m: Sem): void {
  m.push(m.let(m.get(0)));
}

function pop(m: Sem): void {
  const v = m.peek();
  const up = m.sp(m.size >> 3);
  if (m.isMemory(0)) {
    // The decoder has already moved an address based on ESP: it is taken after the pop.
    m.set(0, v);
    m.setSp(up);
  } else {
    m.setSp(up);
    m.set(0, v);
  }
}

const pushSegment = (m: Sem) => m.push({ k: "sel", seg: m.kind(0).reg });

function popSegment(m: Sem): void {
  const v = m.peek();
  m.call("loadSegment", constant(m.kind(0).reg), zx(16, v));
  m.setSp(m.sp(m.size >> 3));
}

function pusha(m: Sem): void {
  const bytes = m.size >> 3;
  // The first push faults first.
  m.emit({ k: "probeWrite", bytes, at: m.stackAt(m.sp(-bytes)) });
  m.emit({ k: "probeWrite", bytes: 8 * bytes, at: m.stackAt(m.sp(-8 * bytes)) });
  for (let n = 0; n < 8; n++) m.store(m.size, m.stackAt(m.sp(-(n + 1) * bytes)), m.reg(EAX + n, m.size));
  m.setSp(m.sp(-8 * bytes));
}

function popa(m: Sem): void {
  const bytes = m.size >> 3;
  const values = [7, 6, 5, 3, 2, 1, 0].map((n) => [n, m.peek((7 - n) * bytes)] as const);
  m.setSp(m.sp(8 * bytes));
  for (const [n, v] of values) m.setReg(n, v, m.size);
}

function pushf(m: Sem): void {
  m.push(m.call("flagsImage"));
}

function popf(m: Sem): void {
  const v = m.peek();
  m.call("setFlagsImage", v, constant(m.size));
  m.setSp(m.sp(m.size >> 3));
}

function enter(m: Sem): void {
  const level = m.let(and(m.get(1), constant(31)));
  const alloc = m.let(m.get(0));
  m.if(
    isZero(level),
    () => {
      const bytes = m.size >> 3;
      const frame = m.let(m.sp(-bytes));
      m.store(m.size, m.stackAt(frame), m.reg(EBP, m.size));
      m.setReg(EBP, frame, m.size);
      const room = sub(frame, alloc);
      m.setSp(m.spec.stack16 ? zx(16, room) : room);
    },
    () => m.call("enterNested", constant(m.size), alloc, level),
  );
}

function leave(m: Sem): void {
  const from = m.let(m.spec.stack16 ? m.reg(EBP, 16) : m.reg(EBP));
  const v = m.load(m.size, m.stackAt(from));
  const up = add(from, constant(m.size >> 3));
  m.setSp(m.spec.stack16 ? zx(16, up) : up);
  m.setReg(EBP, v, m.size);
}

const SEGMENTS: readonly (readonly [string, string, string | null])[] = [
  ["ES", "06", "07"],
  ["CS", "0e", null],
  ["SS", "16", "17"],
  ["DS", "1e", "1f"],
  ["FS", "0f a0", "0f a1"],
  ["GS", "0f a8", "0f a9"],
];

export const stackTable: readonly Row[] = [
  row("push", "50", "Zv", push),
  row("push", "6a", "Ibs", push),
  row("push", "68", "Iv", push),
  row("push", "ff /6", "Ev", push),
  row("pop", "58", "Zv", pop),
  row("pop", "8f /0", "Ev", pop, { popEa: true }),
  ...SEGMENTS.flatMap(([seg, pushCode, popCode]) => [
    row("push", pushCode, seg, pushSegment, { v: true }),
    ...(popCode
      ? [row("pop", popCode, seg, popSegment, { v: true, sync: seg === "SS", segment: true, cls: "seg" })]
      : []),
  ]),
  row("pushaw,pusha/pushad,pusha", "60", "", pusha, { v: true }),
  row("popaw,popa/popad,popa", "61", "", popa, { v: true }),
  row("pushfw,pushf/pushfd,pushf", "9c", "", pushf, { v: true, r: `${ALL}DI` }),
  row("popfw,popf/popfd,popf", "9d", "", popf, { v: true, sync: true, w: `${ALL}DI` }),
  row("enter", "c8", "Iw Ib", enter, { v: true }),
  row("leave", "c9", "", leave, { v: true }),
];
