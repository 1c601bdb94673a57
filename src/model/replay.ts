// The machine: one CPU, round-robin with a quantum, timer ticks, waits along the edges. Exact integer cycles.
//
// Records run in their task's order. A task's own work is one line of cycles: program instructions, then the record, then the
// next; `end[i]` is where record i ends on it. The machine moves from interaction to interaction (tick, quantum end, a record
// where tasks meet) and finds its place on the line by bisection; in the per-record mode it stops at every edge of every record
// instead, with the same result.
import { InputError } from "../errors.ts";
import { CLASSES } from "../traces/schema/enums.ts";
import { CAUSE_COUNT, CAUSE_INDEX } from "./causes.ts";
import { type Alarm, EventLoop, RANK } from "./loop.ts";
import type { Program } from "./program.ts";
import type { MachineCosts, ShapeCosts } from "./shape-costs.ts";
import { WAIT } from "./waits.ts";

/** Fractions of a cycle that CPI is counted in. */
export const CPI_UNITS = 4096;

/** Times of the machine. */
export interface MachineTimes {
  /** Cycles between timer ticks; 0: no ticks. */
  readonly tickCycles: number;
  /** Cycle of the first tick. */
  readonly firstTick: number;
  /** Cycles a task may run while others are ready. */
  readonly quantumCycles: number;
  /** Cycles a nanosecond. */
  readonly cyclesPerNs: number;
}

export interface ReplayOptions {
  /** Stop at every record instead of every interaction. */
  readonly perRecord?: boolean;
}

export interface Replayed {
  /** When the last task ended. */
  readonly makespan: number;
  /** Cycles by cause; they add up to the makespan. */
  readonly causes: Float64Array;
  /** When each task ended. */
  readonly finished: Float64Array;
  readonly ticks: number;
  readonly switches: number;
  /** Times a record had to wait. */
  readonly blocks: number;
}

/**
 * Cycles of program instructions up to and including each record, per task: counts x CPI in fixed point on running totals, so that
 * the sum over any stretch is within one cycle of the exact one.
 */
export function userCycles(program: Program, cpi: Float64Array, cyclesPerNs: number): Float64Array {
  const width = CLASSES.length;
  const rates = new Float64Array(program.mixes.length / width);
  for (let m = 0; m < rates.length; m++) {
    let instructions = 0;
    let cycles = 0;
    for (let c = 0; c < width; c++) {
      instructions += program.mixes[m * width + c];
      cycles += program.mixes[m * width + c] * cpi[c];
    }
    if (program.userUnit === "ns") rates[m] = Math.round(cyclesPerNs * CPI_UNITS);
    else rates[m] = instructions > 0 ? Math.round((cycles / instructions) * CPI_UNITS) : CPI_UNITS;
  }
  const { user, mixOf, firstRecord } = program;
  const totals = new Float64Array(program.records);
  for (let task = 0; task < program.tasks; task++) {
    let units = 0;
    for (let r = firstRecord[task]; r < firstRecord[task + 1]; r++) {
      units += user[r] * rates[mixOf[r]];
      totals[r] = Math.floor(units / CPI_UNITS);
    }
    if (!(units < Number.MAX_SAFE_INTEGER))
      throw new InputError("a task's cycles pass 2^53: the trace is too long for exact sums");
  }
  return totals;
}

const RUN = { unborn: 0, ready: 1, running: 2, waiting: 3, done: 4 } as const;

/** Of the record a task is in: before its waiting point; past it, but others have not heard; past it. */
const PAST = { before: 0, owing: 1, known: 2 } as const;

const IDLE_IO = CAUSE_INDEX["idle-io"];
const IDLE_TIMER = CAUSE_INDEX["idle-timer"];
const IDLE_DEPENDENCY = CAUSE_INDEX["idle-dependency"];

/** One replay. Made for one run; `run()` gives the result. */
class Machine {
  readonly loop = new EventLoop();
  readonly program: Program;
  readonly costs: ShapeCosts;
  readonly machine: MachineCosts;
  readonly times: MachineTimes;
  readonly perRecord: boolean;
  /** Where each record ends on its task's line. */
  readonly end: Float64Array;
  readonly causes = new Float64Array(CAUSE_COUNT);
  readonly finished: Float64Array;
  ticks = 0;
  switches = 0;
  blocks = 0;

  // Tasks.
  readonly state: Uint8Array;
  /** Place on the task's line. */
  readonly place: Float64Array;
  /** The record the task is in or before. */
  readonly at: Int32Array;
  /** Index into `stops` of the next record to stop at. */
  readonly nextStop: Int32Array;
  /** How far the task is in its record (PAST). */
  readonly past: Uint8Array;
  /** Must pay for being woken when it runs next. */
  readonly woken: Uint8Array;
  readonly children: ReadonlyMap<number, readonly number[]>;
  readonly queue: number[] = [];
  queueHead = 0;
  ended = 0;

  // Waits.
  /** When each source record finished; -1: not yet. */
  readonly finishedAt: Map<number, number> = new Map();
  readonly waitsBySource: ReadonlyMap<number, readonly number[]>;
  readonly firstWait: ReadonlyMap<number, number>;
  /** Sources each waiting task still lacks. */
  readonly lacking: Int32Array;
  /** When its known causes allow a waiting task to go on. */
  readonly readyAt: Float64Array;
  readonly readyKind: Uint8Array;
  readonly wakeAlarm: Alarm[][] = [];

  // The CPU.
  current = -1;
  last = -1;
  /** When the current task's work on its line began or will begin, less the time taken from it since. */
  startedAt = 0;
  startPlace = 0;
  /** When idleness began; the CPU is free from then on. */
  idleFrom = 0;
  mustSwitch = false;
  readonly stopAlarm: Alarm;
  readonly quantumAlarm: Alarm;
  readonly tickAlarm: Alarm;
  nextTick: number;
  /** Idle time before ticks within one idle stretch, whose cause is known only at its end. */
  heldIdle = 0;
  /** What ended the idle time. */
  idleCause = IDLE_DEPENDENCY;

  constructor(
    program: Program,
    user: Float64Array,
    costs: ShapeCosts,
    machine: MachineCosts,
    times: MachineTimes,
    options: ReplayOptions,
  ) {
    this.program = program;
    this.costs = costs;
    this.machine = machine;
    this.times = times;
    this.perRecord = options.perRecord === true;
    const { tasks, records, firstRecord, shape } = program;
    this.end = new Float64Array(records);
    const { total } = costs;
    for (let task = 0; task < tasks; task++) {
      let kernel = 0;
      for (let r = firstRecord[task]; r < firstRecord[task + 1]; r++) {
        kernel += total[shape[r]];
        this.end[r] = user[r] + kernel;
      }
    }
    this.finished = new Float64Array(tasks);
    this.state = new Uint8Array(tasks);
    this.place = new Float64Array(tasks);
    this.at = firstRecord.slice(0, tasks);
    this.nextStop = new Int32Array(tasks);
    this.past = new Uint8Array(tasks);
    this.woken = new Uint8Array(tasks);
    this.lacking = new Int32Array(tasks);
    this.readyAt = new Float64Array(tasks);
    this.readyKind = new Uint8Array(tasks);
    const children = new Map<number, number[]>();
    for (let task = 0; task < tasks; task++) {
      this.nextStop[task] = lowerBound(program.stops, firstRecord[task]);
      const by = program.startedBy[task];
      if (by >= 0) children.set(by, [...(children.get(by) ?? []), task]);
    }
    this.children = children;
    const bySource = new Map<number, number[]>();
    const first = new Map<number, number>();
    const { waits } = program;
    for (let w = 0; w < waits.length; w++) {
      if (!first.has(waits.target[w])) first.set(waits.target[w], w);
      const source = waits.source[w];
      if (source < 0) continue;
      const list = bySource.get(source);
      if (list === undefined) bySource.set(source, [w]);
      else list.push(w);
    }
    this.waitsBySource = bySource;
    this.firstWait = first;
    for (let task = 0; task < tasks; task++) {
      this.wakeAlarm[task] = [
        this.loop.alarm(RANK.wakeup, () => this.wake(task)),
        this.loop.alarm(RANK.timer, () => this.wake(task)),
        this.loop.alarm(RANK.device, () => this.wake(task)),
      ];
    }
    this.stopAlarm = this.loop.alarm(RANK.wakeup, () => this.reach());
    this.quantumAlarm = this.loop.alarm(RANK.dispatch, () => this.quantumEnd());
    this.tickAlarm = this.loop.alarm(RANK.tick, () => this.tick());
    this.nextTick = times.tickCycles > 0 ? times.firstTick : Number.POSITIVE_INFINITY;
  }

  charge(costs: Float64Array): number {
    let sum = 0;
    for (let c = 0; c < CAUSE_COUNT; c++) {
      this.causes[c] += costs[c];
      sum += costs[c];
    }
    return sum;
  }

  run(): Replayed {
    const { tasks, startedBy } = this.program;
    this.setTick();
    for (let task = 0; task < tasks; task++) if (startedBy[task] < 0) this.makeReady(task);
    while (this.ended < tasks) {
      if (this.current < 0 && this.queueHead === this.queue.length) this.passIdleTicks();
      if (!this.loop.step()) this.deadlock();
    }
    let makespan = 0;
    for (let task = 0; task < tasks; task++) makespan = Math.max(makespan, this.finished[task]);
    this.chargeRecords();
    return {
      makespan,
      causes: this.causes,
      finished: this.finished,
      ticks: this.ticks,
      switches: this.switches,
      blocks: this.blocks,
    };
  }

  /** Every record of every task has run exactly once: their causes come from the shapes' counts. */
  chargeRecords(): void {
    const { shapes } = this.program;
    let kernel = 0;
    for (let s = 0; s < shapes.length; s++) {
      const count = shapes.count[s];
      for (let c = 0; c < CAUSE_COUNT; c++) this.causes[c] += count * this.costs.causes[s * CAUSE_COUNT + c];
      kernel += count * this.costs.total[s];
    }
    const { firstRecord, tasks } = this.program;
    let lines = 0;
    for (let task = 0; task < tasks; task++)
      if (firstRecord[task + 1] > firstRecord[task]) lines += this.end[firstRecord[task + 1] - 1];
    this.causes[CAUSE_INDEX["user"]] += lines - kernel;
  }

  deadlock(): never {
    const stuck = this.state.findIndex((state) => state === RUN.waiting || state === RUN.unborn);
    const seq = stuck >= 0 ? this.program.seq[this.at[stuck]] : -1;
    throw new InputError(
      `the trace waits for itself: task ${stuck} at event ${seq} depends on something that never happens; check its edges`,
    );
  }

  // --- readiness

  makeReady(task: number): void {
    this.state[task] = RUN.ready;
    this.queue.push(task);
    if (this.current < 0) this.endIdle();
  }

  wake(task: number): void {
    const kind = this.readyKind[task];
    this.idleCause = kind === WAIT.device ? IDLE_IO : kind === WAIT.timer ? IDLE_TIMER : IDLE_DEPENDENCY;
    this.woken[task] = 1;
    this.makeReady(task);
  }

  /** Something became ready while the CPU was idle. */
  endIdle(): void {
    const { now } = this.loop;
    this.causes[this.idleCause] += this.heldIdle + Math.max(0, now - this.idleFrom);
    this.heldIdle = 0;
    this.idleFrom = Math.max(now, this.idleFrom);
    this.dispatch();
  }

  // --- the CPU

  /** Gives the CPU to the first ready task, if there is one. */
  dispatch(): void {
    const { program, loop } = this;
    if (this.queueHead === this.queue.length) {
      this.queue.length = 0;
      this.queueHead = 0;
      return;
    }
    const task = this.queue[this.queueHead++];
    if (this.queueHead > 1024 && this.queueHead * 2 > this.queue.length) {
      this.queue.splice(0, this.queueHead);
      this.queueHead = 0;
    }
    let cost = 0;
    if (task !== this.last && this.last >= 0) {
      this.switches++;
      cost += this.charge(this.machine.switch);
      if (program.process[task] !== program.process[this.last]) cost += this.charge(this.machine.mmSwitch);
    }
    if (this.woken[task] === 1) {
      this.woken[task] = 0;
      cost += this.charge(this.machine.wake);
    }
    this.last = task;
    this.current = task;
    this.state[task] = RUN.running;
    this.startPlace = this.place[task];
    this.startedAt = Math.max(loop.now, this.idleFrom) + cost;
    this.mustSwitch = false;
    this.quantumAlarm.set(this.startedAt + this.times.quantumCycles);
    this.setStop();
  }

  /** The place of the current task on its line. */
  placeNow(): number {
    return this.startPlace + Math.max(0, this.loop.now - this.startedAt);
  }

  /** The next record where this task meets others; -1: none. */
  meeting(task: number): number {
    const { stops, firstRecord } = this.program;
    const stop = this.nextStop[task];
    return stop < stops.length && stops[stop] < firstRecord[task + 1] ? stops[stop] : -1;
  }

  /** The place in a record where its task may have to wait. */
  middle(record: number): number {
    return this.end[record] - this.costs.after[this.program.shape[record]];
  }

  /** Where the current task must stop next. */
  stopPlace(): number {
    const task = this.current;
    const { firstRecord, shape } = this.program;
    const last = firstRecord[task + 1] - 1;
    if (last < firstRecord[task]) return 0;
    const record = this.at[task];
    if (this.past[task] === PAST.owing) return this.startPlace;
    if (this.past[task] === PAST.known) return this.end[record];
    if (this.perRecord) {
      const place = this.placeNow();
      const begin = this.end[record] - this.costs.total[shape[record]];
      if (place < begin) return begin;
      return this.middle(record);
    }
    const meeting = this.meeting(task);
    if (this.mustSwitch) return meeting === record ? this.middle(record) : this.end[record];
    return meeting >= 0 ? this.middle(meeting) : this.end[last];
  }

  setStop(): void {
    this.stopAlarm.set(this.startedAt + this.stopPlace() - this.startPlace);
  }

  /** The record at a place of the current task's line: the first that ends behind it; one past the last when all have ended. */
  recordAt(task: number, place: number): number {
    let low = this.at[task];
    let high = this.program.firstRecord[task + 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.end[middle] > place) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Is the current task in the kernel at this place? Interrupts are taken between instructions: at the edge it is not yet. */
  inKernel(task: number, place: number): boolean {
    if (this.past[task] !== PAST.before) return true;
    const record = this.recordAt(task, place);
    if (record >= this.program.firstRecord[task + 1]) return false;
    return place > this.end[record] - this.costs.total[this.program.shape[record]];
  }

  /** The current task has come to where it must stop. */
  reach(): void {
    const task = this.current;
    const { firstRecord } = this.program;
    const place = this.placeNow();
    if (firstRecord[task] === firstRecord[task + 1]) {
      this.exit(task);
      return;
    }
    const record = this.at[task];
    if (this.past[task] === PAST.owing) {
      this.goOn(task, record, place);
      return;
    }
    if (this.past[task] === PAST.known) {
      this.recordDone(task, place);
      return;
    }
    const meeting = this.meeting(task);
    if (this.perRecord) {
      if (place < this.middle(record)) {
        this.setStop();
        return;
      }
      if (meeting === record) {
        this.meet(task, place);
        return;
      }
      this.past[task] = PAST.known;
      this.setStop();
      return;
    }
    if (this.mustSwitch) {
      if (meeting === record) this.meet(task, place);
      else this.recordDone(task, place);
      return;
    }
    if (meeting >= 0) {
      this.at[task] = meeting;
      this.meet(task, place);
      return;
    }
    this.at[task] = firstRecord[task + 1] - 1;
    this.recordDone(task, place);
  }

  /** At the end of the record the task is in. */
  recordDone(task: number, place: number): void {
    const record = this.at[task]++;
    this.past[task] = PAST.before;
    if (this.at[task] === this.program.firstRecord[task + 1]) {
      this.exit(task);
      return;
    }
    const leaves = this.mustSwitch || this.program.yields[record] === 1;
    if (leaves && this.queueHead < this.queue.length) {
      this.requeue(task, place);
      return;
    }
    this.mustSwitch = false;
    this.startPlace = place;
    this.startedAt = this.loop.now;
    this.setStop();
  }

  /** To the end of the run queue. */
  requeue(task: number, place: number): void {
    this.place[task] = place;
    this.state[task] = RUN.ready;
    this.queue.push(task);
    this.leave();
  }

  exit(task: number): void {
    this.state[task] = RUN.done;
    this.finished[task] = this.loop.now;
    this.ended++;
    this.leave();
  }

  /** The current task leaves the CPU. */
  leave(): void {
    this.stopAlarm.clear();
    this.quantumAlarm.clear();
    this.current = -1;
    this.idleFrom = this.loop.now;
    this.dispatch();
  }

  /** The point of a record where its task may have to wait: its work is done, the way out is still to go. */
  meet(task: number, place: number): void {
    const record = this.at[task];
    this.nextStop[task]++;
    for (const child of this.children.get(record) ?? []) this.makeReady(child);
    const ready = this.readiness(task, record);
    if (this.lacking[task] === 0 && ready <= this.loop.now) {
      this.goOn(task, record, place);
      return;
    }
    this.blocks++;
    this.state[task] = RUN.waiting;
    this.place[task] = place;
    this.past[task] = PAST.owing;
    if (this.lacking[task] === 0) this.wakeAlarm[task][this.readyKind[task]].set(ready);
    this.leave();
  }

  /** Nothing is left to wait for: others hear of the record, and the way out begins. */
  goOn(task: number, record: number, place: number): void {
    this.past[task] = PAST.known;
    this.startPlace = place;
    this.startedAt = this.loop.now;
    this.tell(record);
    this.setStop();
  }

  /** When the causes known so far let this record go on; counts the unknown ones. */
  readiness(task: number, record: number): number {
    const { waits } = this.program;
    this.lacking[task] = 0;
    let ready = 0;
    let kind: number = WAIT.dependency;
    for (let w = this.firstWait.get(record) ?? waits.length; w < waits.length && waits.target[w] === record; w++) {
      const source = waits.source[w];
      const base = source < 0 ? this.loop.now : this.finishedAt.get(source);
      if (base === undefined) {
        this.lacking[task]++;
        continue;
      }
      const at = base + this.delay(w);
      if (at > ready) {
        ready = at;
        kind = waits.kind[w];
      }
    }
    this.readyAt[task] = ready;
    this.readyKind[task] = kind;
    return ready;
  }

  delay(wait: number): number {
    return Math.round(this.program.waits.delayNs[wait] * this.times.cyclesPerNs);
  }

  /** Tells those who wait for it that a record's work is done. */
  tell(record: number): void {
    const list = this.waitsBySource.get(record);
    if (list === undefined) return;
    const { now } = this.loop;
    const { waits } = this.program;
    this.finishedAt.set(record, now);
    for (const w of list) {
      const waiter = this.waiterAt(waits.target[w]);
      if (waiter < 0) continue;
      const at = now + this.delay(w);
      if (at > this.readyAt[waiter]) {
        this.readyAt[waiter] = at;
        this.readyKind[waiter] = waits.kind[w];
      }
      if (--this.lacking[waiter] > 0) continue;
      if (this.readyAt[waiter] <= now) this.wake(waiter);
      else this.wakeAlarm[waiter][this.readyKind[waiter]].set(this.readyAt[waiter]);
    }
  }

  /** The task that waits at this record; -1 when none does (yet). */
  waiterAt(record: number): number {
    const { firstRecord, tasks } = this.program;
    let low = 0;
    let high = tasks - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (firstRecord[middle] <= record) low = middle;
      else high = middle - 1;
    }
    return this.state[low] === RUN.waiting && this.at[low] === record ? low : -1;
  }

  // --- timer

  setTick(): void {
    if (this.nextTick !== Number.POSITIVE_INFINITY) this.tickAlarm.set(this.nextTick);
  }

  tick(): void {
    const { now } = this.loop;
    this.ticks++;
    this.nextTick += this.times.tickCycles;
    const task = this.current;
    if (task < 0) {
      this.heldIdle += Math.max(0, now - this.idleFrom);
      this.idleFrom = Math.max(now, this.idleFrom) + this.charge(this.machine.tickInKernel);
    } else {
      const place = this.placeNow();
      const kernel = now < this.startedAt || this.inKernel(task, place);
      const cost = this.charge(kernel ? this.machine.tickInKernel : this.machine.tickInUser);
      this.startPlace = place;
      this.startedAt = Math.max(this.startedAt, now) + cost;
      this.setStop();
    }
    this.setTick();
  }

  /** Ticks that only interrupt idleness, up to the next event, are counted instead of simulated one by one. */
  passIdleTicks(): void {
    if (this.nextTick === Number.POSITIVE_INFINITY) return;
    this.tickAlarm.clear();
    const next = this.loop.next();
    if (next === Number.POSITIVE_INFINITY) this.deadlock();
    const { tickCycles } = this.times;
    const tick = this.machine.tickInKernel;
    const cost = tick.reduce((sum, cycles) => sum + cycles, 0);
    if (this.nextTick < next && this.idleFrom > this.nextTick) {
      // The CPU is still busy with an earlier tick.
      this.ticks++;
      this.idleFrom += this.charge(tick);
      this.nextTick += tickCycles;
    }
    if (this.nextTick < next) {
      const count = Math.ceil((next - this.nextTick) / tickCycles);
      this.ticks += count;
      for (let c = 0; c < CAUSE_COUNT; c++) this.causes[c] += count * tick[c];
      this.heldIdle += this.nextTick - this.idleFrom + (count - 1) * (tickCycles - cost);
      this.idleFrom = this.nextTick + (count - 1) * tickCycles + cost;
      this.nextTick += count * tickCycles;
    }
    this.setTick();
  }

  quantumEnd(): void {
    const task = this.current;
    const { now } = this.loop;
    if (now < this.startedAt) {
      this.quantumAlarm.set(this.startedAt);
      return;
    }
    this.quantumAlarm.set(now + this.times.quantumCycles);
    if (this.queueHead === this.queue.length) return;
    const place = this.placeNow();
    const kernel = this.inKernel(task, place);
    if (this.past[task] === PAST.before) this.at[task] = this.recordAt(task, place);
    if (!kernel) {
      this.requeue(task, place);
      return;
    }
    // In the kernel: the switch waits for the way out.
    this.mustSwitch = true;
    this.startPlace = place;
    this.startedAt = now;
    this.setStop();
  }
}

/** First index whose value is >= `value`. */
function lowerBound(sorted: Int32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Replays a program with ready user cycles, price lists and machine times. */
export function replay(
  program: Program,
  user: Float64Array,
  costs: ShapeCosts,
  machine: MachineCosts,
  times: MachineTimes,
  options: ReplayOptions = {},
): Replayed {
  return new Machine(program, user, costs, machine, times, options).run();
}
