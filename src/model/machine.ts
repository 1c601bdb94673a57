// The machine: one CPU, round-robin with a quantum, timer ticks, waits along the edges. Exact integer cycles.
//
// Records run in their task's order. The machine moves from interaction to interaction (tick, quantum end, a record where tasks
// meet) and finds its place on the task's line by bisection; in the per-record mode it stops at every edge of every record
// instead, with the same result.
import { InputError } from "../errors.ts";
import { CAUSE_COUNT, CAUSE_INDEX } from "./causes.ts";
import { Dependencies } from "./dependencies.ts";
import { type Alarm, EventLoop, RANK } from "./loop.ts";
import { type Observer, STOP } from "./observer.ts";
import type { Program } from "./program.ts";
import type { MachineTimes, Replayed, ReplayOptions } from "./replay.ts";
import { RunQueue } from "./run-queue.ts";
import { causesOf, type MachineCosts, type ShapeCosts } from "./shape-costs.ts";
import { TaskLines } from "./task-lines.ts";
import { WAIT } from "./waits.ts";

/** Ranks of a wake-up, by kind of wait. */
const WAKE_RANKS = [RANK.wakeup, RANK.timer, RANK.device] as const;

const RUN = { unborn: 0, ready: 1, running: 2, waiting: 3, done: 4 } as const;

/** Of the record a task is in: before its waiting point; past it, but others have not heard; past it. */
const PAST = { before: 0, owing: 1, known: 2 } as const;

/** Ticks and turns of one replay. */
const MOST_INTERRUPTIONS = 5e7;

const IDLE_IO = CAUSE_INDEX["idle-io"];
const IDLE_TIMER = CAUSE_INDEX["idle-timer"];
const IDLE_DEPENDENCY = CAUSE_INDEX["idle-dependency"];

/** One replay. Made for one run; `run()` gives the result. */
export class Machine {
  readonly #loop = new EventLoop();
  readonly #program: Program;
  readonly #costs: ShapeCosts;
  readonly #machine: MachineCosts;
  readonly #times: MachineTimes;
  readonly #perRecord: boolean;
  readonly #observer: Observer | undefined;
  readonly #lines: TaskLines;
  readonly #waits: Dependencies;
  readonly #causes = new Float64Array(CAUSE_COUNT);
  readonly #finished: Float64Array;
  #ticks = 0;
  #switches = 0;
  #blocks = 0;
  #ended = 0;

  // Of each task: its state, its place on its line when it does not run, the record it is in or before, how far it is in that,
  // the next stop, whether it must pay for having been woken, and its alarms by kind of wait.
  readonly #state: Uint8Array;
  readonly #place: Float64Array;
  readonly #at: Int32Array;
  readonly #past: Uint8Array;
  readonly #nextStop: Int32Array;
  readonly #woken: Uint8Array;
  readonly #wakeAlarm: Alarm[][] = [];

  readonly #queue = new RunQueue();

  // The CPU: who has it, who had it last, from when its work counts and at which place that was.
  #current = -1;
  #last = -1;
  #startedAt = 0;
  #startPlace = 0;
  /** The current task must leave at the end of its record. */
  #mustSwitch = false;
  /** When idleness began: the CPU is free from then on. */
  #idleFrom = 0;
  /** Idle time before ticks within one idle stretch, whose cause is known only at its end. */
  #heldIdle = 0;
  #idleCause = IDLE_DEPENDENCY;
  readonly #stopAlarm: Alarm;
  readonly #quantumAlarm: Alarm;
  readonly #tickAlarm: Alarm;
  #nextTick: number;

  constructor(
    program: Program,
    user: Float64Array,
    costs: ShapeCosts,
    machine: MachineCosts,
    times: MachineTimes,
    options: ReplayOptions,
  ) {
    this.#program = program;
    this.#costs = costs;
    this.#machine = machine;
    this.#times = times;
    this.#perRecord = options.perRecord === true;
    this.#observer = options.observer;
    this.#lines = new TaskLines(program, user, costs);
    this.#waits = new Dependencies(program, times.cyclesPerNs);
    const { tasks } = program;
    this.#finished = new Float64Array(tasks);
    this.#state = new Uint8Array(tasks);
    this.#place = new Float64Array(tasks);
    this.#at = program.firstRecord.slice(0, tasks);
    this.#past = new Uint8Array(tasks);
    this.#nextStop = program.meetings.firstOfTask.slice(0, tasks);
    this.#woken = new Uint8Array(tasks);
    for (let task = 0; task < tasks; task++) {
      this.#wakeAlarm[task] = WAKE_RANKS.map((rank) => this.#loop.alarm(rank, () => this.#wake(task)));
    }
    this.#stopAlarm = this.#loop.alarm(RANK.wakeup, () => this.#reach());
    this.#quantumAlarm = this.#loop.alarm(RANK.dispatch, () => this.#quantumEnd());
    this.#tickAlarm = this.#loop.alarm(RANK.tick, () => this.#tick());
    this.#nextTick = times.tickCycles > 0 ? times.firstTick : Number.POSITIVE_INFINITY;
  }

  #charge(costs: Float64Array): number {
    let sum = 0;
    for (let c = 0; c < CAUSE_COUNT; c++) {
      this.#causes[c] += costs[c];
      sum += costs[c];
    }
    return sum;
  }

  /** Refuses what would take the host hours: more ticks and turns than anyone needs, or cycles beyond 2^52. */
  #checkLength(): void {
    let cycles = 0;
    let running = 0;
    for (let task = 0; task < this.#program.tasks; task++) {
      cycles += this.#lines.length(task);
      if (this.#lines.length(task) > 0) running++;
    }
    const { tickCycles, quantumCycles } = this.#times;
    if (!(cycles < 2 ** 52))
      throw new InputError(`the trace takes ${cycles} cycles, beyond 2^52: too long for exact sums`);
    const turns = running > 1 ? cycles / quantumCycles : 0;
    if (turns + (tickCycles > 0 ? cycles / tickCycles : 0) > MOST_INTERRUPTIONS) {
      throw new InputError(
        `${cycles} cycles would be interrupted more than ${MOST_INTERRUPTIONS} times: lower hz or raise quantum_us`,
      );
    }
  }

  run(): Replayed {
    this.#checkLength();
    const { tasks, startedBy, firstRecord } = this.#program;
    this.#setTick();
    for (let task = 0; task < tasks; task++) {
      if (firstRecord[task] === firstRecord[task + 1]) this.#ended++;
      else if (startedBy[task] < 0) this.#makeReady(task, -1, -1);
    }
    while (this.#ended < tasks) {
      if (this.#current < 0 && this.#queue.empty) this.#passIdleTicks();
      if (!this.#loop.step()) this.#deadlock();
    }
    let makespan = 0;
    for (let task = 0; task < tasks; task++) makespan = Math.max(makespan, this.#finished[task]);
    this.#chargeRecords();
    return {
      makespan,
      causes: this.#causes,
      finished: this.#finished,
      ticks: this.#ticks,
      switches: this.#switches,
      blocks: this.#blocks,
    };
  }

  /** Every record of every task has run exactly once: their causes come from the shapes' counts. */
  #chargeRecords(): void {
    const sums = causesOf(this.#program.shapes, this.#costs);
    let kernel = 0;
    for (let c = 0; c < CAUSE_COUNT; c++) {
      this.#causes[c] += sums[c];
      kernel += sums[c];
    }
    const { tasks } = this.#program;
    let lines = 0;
    for (let task = 0; task < tasks; task++) lines += this.#lines.length(task);
    this.#causes[CAUSE_INDEX["user"]] += lines - kernel;
  }

  #deadlock(): never {
    const stuck = this.#state.findIndex((state) => state === RUN.waiting || state === RUN.unborn);
    const seq = stuck >= 0 ? this.#program.seq[this.#at[stuck]] : -1;
    throw new InputError(
      `the trace waits for itself: task ${stuck} at event ${seq} depends on something that never happens; check its edges`,
    );
  }

  // --- readiness

  #makeReady(task: number, wait: number, by: number): void {
    this.#observer?.ready(this.#loop.now, task, wait, by);
    this.#state[task] = RUN.ready;
    this.#queue.push(task);
    if (this.#current < 0) this.#endIdle();
  }

  #wake(task: number): void {
    const kind = this.#waits.kind(task);
    this.#idleCause = kind === WAIT.device ? IDLE_IO : kind === WAIT.timer ? IDLE_TIMER : IDLE_DEPENDENCY;
    this.#woken[task] = 1;
    this.#makeReady(task, this.#waits.held(task), -1);
  }

  /** Something became ready while the CPU was idle. */
  #endIdle(): void {
    const { now } = this.#loop;
    this.#causes[this.#idleCause] += this.#heldIdle + Math.max(0, now - this.#idleFrom);
    this.#heldIdle = 0;
    this.#idleFrom = Math.max(now, this.#idleFrom);
    this.#dispatch();
  }

  // --- the CPU

  /** Gives the CPU to the first ready task, if there is one. */
  #dispatch(): void {
    const { process } = this.#program;
    const task = this.#queue.shift();
    if (task === undefined) return;
    let cost = 0;
    if (task !== this.#last && this.#last >= 0) {
      this.#switches++;
      cost += this.#charge(this.#machine.switch);
      if (process[task] !== process[this.#last]) cost += this.#charge(this.#machine.mmSwitch);
    }
    if (this.#woken[task] === 1) {
      this.#woken[task] = 0;
      cost += this.#charge(this.#machine.wake);
    }
    this.#last = task;
    this.#current = task;
    this.#state[task] = RUN.running;
    this.#startPlace = this.#place[task];
    this.#startedAt = Math.max(this.#loop.now, this.#idleFrom) + cost;
    this.#observer?.run(this.#startedAt, 0, task, this.#startPlace);
    this.#mustSwitch = false;
    this.#quantumAlarm.set(this.#startedAt + this.#times.quantumCycles);
    this.#setStop();
  }

  /** The place of the current task on its line. */
  #placeNow(): number {
    return this.#startPlace + Math.max(0, this.#loop.now - this.#startedAt);
  }

  /** The next record where this task meets others; -1: none. */
  #meeting(task: number): number {
    const { meetings } = this.#program;
    const stop = this.#nextStop[task];
    return stop < meetings.firstOfTask[task + 1] ? meetings.record[stop] : -1;
  }

  /** Where the current task must stop next. */
  #stopPlace(): number {
    const task = this.#current;
    const lines = this.#lines;
    const { firstRecord } = this.#program;
    const last = firstRecord[task + 1] - 1;
    const record = this.#at[task];
    if (this.#past[task] === PAST.owing) return this.#startPlace;
    if (this.#past[task] === PAST.known) return lines.end[record];
    if (this.#perRecord) return this.#placeNow() < lines.begin(record) ? lines.begin(record) : lines.middle(record);
    const meeting = this.#meeting(task);
    if (this.#mustSwitch) return meeting === record ? lines.middle(record) : lines.end[record];
    return meeting >= 0 ? lines.middle(meeting) : lines.end[last];
  }

  #setStop(): void {
    this.#stopAlarm.set(this.#startedAt + this.#stopPlace() - this.#startPlace);
  }

  /** The current task has come to where it must stop. */
  #reach(): void {
    const task = this.#current;
    const { firstRecord } = this.#program;
    const place = this.#placeNow();
    const record = this.#at[task];
    if (this.#past[task] === PAST.owing) {
      this.#goOn(task, place);
      return;
    }
    if (this.#past[task] === PAST.known) {
      this.#recordDone(task, place);
      return;
    }
    const meeting = this.#meeting(task);
    if (this.#perRecord) {
      if (place < this.#lines.middle(record)) {
        this.#setStop();
        return;
      }
      if (meeting === record) {
        this.#meet(task, place);
        return;
      }
      this.#past[task] = PAST.known;
      this.#setStop();
      return;
    }
    if (this.#mustSwitch) {
      if (meeting === record) this.#meet(task, place);
      else this.#recordDone(task, place);
      return;
    }
    if (meeting >= 0) {
      this.#at[task] = meeting;
      this.#meet(task, place);
      return;
    }
    this.#at[task] = firstRecord[task + 1] - 1;
    this.#recordDone(task, place);
  }

  /** At the end of the record the task is in. */
  #recordDone(task: number, place: number): void {
    const record = this.#at[task]++;
    this.#past[task] = PAST.before;
    if (this.#at[task] === this.#program.firstRecord[task + 1]) {
      this.#exit(task);
      return;
    }
    const leaves = this.#mustSwitch || this.#program.yields[record] === 1;
    if (leaves && !this.#queue.empty) {
      this.#requeue(task, place);
      return;
    }
    this.#mustSwitch = false;
    this.#startPlace = place;
    this.#startedAt = this.#loop.now;
    this.#setStop();
  }

  /** To the end of the run queue. */
  #requeue(task: number, place: number): void {
    this.#observer?.stop(this.#loop.now, 0, task, place, STOP.preempted);
    this.#place[task] = place;
    this.#state[task] = RUN.ready;
    this.#queue.push(task);
    this.#leave();
  }

  #exit(task: number): void {
    this.#observer?.stop(this.#loop.now, 0, task, this.#lines.length(task), STOP.exit);
    this.#state[task] = RUN.done;
    this.#finished[task] = this.#loop.now;
    this.#ended++;
    this.#leave();
  }

  /** The current task leaves the CPU. */
  #leave(): void {
    this.#stopAlarm.clear();
    this.#quantumAlarm.clear();
    this.#current = -1;
    this.#idleFrom = this.#loop.now;
    this.#dispatch();
  }

  /** The point of a record where its task may have to wait: its work is done, the way out is still to go. */
  #meet(task: number, place: number): void {
    const stop = this.#nextStop[task];
    const { meetings } = this.#program;
    for (let c = meetings.firstChild[stop]; c < meetings.firstChild[stop + 1]; c++)
      this.#start(meetings.child[c], task);
    const ready = this.#waits.ready(task, stop, this.#loop.now);
    if (ready !== undefined && ready <= this.#loop.now) {
      this.#goOn(task, place);
      return;
    }
    this.#blocks++;
    this.#observer?.stop(this.#loop.now, 0, task, place, STOP.wait);
    this.#state[task] = RUN.waiting;
    this.#place[task] = place;
    this.#past[task] = PAST.owing;
    if (ready !== undefined) this.#wakeAt(task, ready);
    this.#leave();
  }

  /** A new task; one that the trace has no records of is left out. */
  #start(task: number, parent: number): void {
    const { firstRecord } = this.#program;
    if (firstRecord[task] < firstRecord[task + 1]) this.#makeReady(task, -1, parent);
  }

  /** Nothing is left to wait for: others hear of the record, and the way out begins. */
  #goOn(task: number, place: number): void {
    const stop = this.#nextStop[task]++;
    this.#past[task] = PAST.known;
    this.#startPlace = place;
    this.#startedAt = this.#loop.now;
    this.#waits.done(stop, this.#loop.now, this.#waitsAt, this.#wakeAt);
    this.#setStop();
  }

  /** The stop at which a task waits; -1: it does not. */
  readonly #waitsAt = (task: number): number => (this.#state[task] === RUN.waiting ? this.#nextStop[task] : -1);

  /** Wakes a task at a time, which may be now. */
  readonly #wakeAt = (task: number, time: number): void => {
    if (time <= this.#loop.now) this.#wake(task);
    else this.#wakeAlarm[task][this.#waits.kind(task)].set(time);
  };

  // --- timer

  /** Is the current task in the kernel at this place of its line? */
  #inKernel(task: number, place: number): boolean {
    return this.#past[task] !== PAST.before || this.#lines.inKernel(task, this.#at[task], place);
  }

  #setTick(): void {
    if (this.#nextTick !== Number.POSITIVE_INFINITY) this.#tickAlarm.set(this.#nextTick);
  }

  #tick(): void {
    const { now } = this.#loop;
    this.#ticks++;
    this.#nextTick += this.#times.tickCycles;
    const task = this.#current;
    if (task < 0) {
      this.#heldIdle += Math.max(0, now - this.#idleFrom);
      this.#idleFrom = Math.max(now, this.#idleFrom) + this.#charge(this.#machine.tickInKernel);
    } else {
      const place = this.#placeNow();
      const kernel = now < this.#startedAt || this.#inKernel(task, place);
      const cost = this.#charge(kernel ? this.#machine.tickInKernel : this.#machine.tickInUser);
      this.#observer?.stop(now, 0, task, place, STOP.tick);
      this.#startPlace = place;
      this.#startedAt = Math.max(this.#startedAt, now) + cost;
      this.#observer?.run(this.#startedAt, 0, task, place);
      this.#setStop();
    }
    this.#setTick();
  }

  /** Ticks that only interrupt idleness, up to the next event, are counted instead of simulated one by one. */
  #passIdleTicks(): void {
    if (this.#nextTick === Number.POSITIVE_INFINITY) return;
    this.#tickAlarm.clear();
    const next = this.#loop.next();
    if (next === Number.POSITIVE_INFINITY) this.#deadlock();
    const { tickCycles } = this.#times;
    const tick = this.#machine.tickInKernel;
    const cost = tick.reduce((sum, cycles) => sum + cycles, 0);
    if (this.#nextTick < next && this.#idleFrom > this.#nextTick) {
      // The CPU is still busy with an earlier tick.
      this.#ticks++;
      this.#idleFrom += this.#charge(tick);
      this.#nextTick += tickCycles;
    }
    if (this.#nextTick < next) {
      const count = Math.ceil((next - this.#nextTick) / tickCycles);
      this.#ticks += count;
      for (let c = 0; c < CAUSE_COUNT; c++) this.#causes[c] += count * tick[c];
      this.#heldIdle += this.#nextTick - this.#idleFrom + (count - 1) * (tickCycles - cost);
      this.#idleFrom = this.#nextTick + (count - 1) * tickCycles + cost;
      this.#nextTick += count * tickCycles;
    }
    this.#setTick();
  }

  #quantumEnd(): void {
    const task = this.#current;
    const { now } = this.#loop;
    if (now < this.#startedAt) {
      this.#quantumAlarm.set(this.#startedAt);
      return;
    }
    this.#quantumAlarm.set(now + this.#times.quantumCycles);
    if (this.#queue.empty) return;
    const place = this.#placeNow();
    const kernel = this.#inKernel(task, place);
    if (this.#past[task] === PAST.before) this.#at[task] = this.#lines.recordAt(task, this.#at[task], place);
    if (!kernel) {
      this.#requeue(task, place);
      return;
    }
    // In the kernel: the switch waits for the way out.
    this.#mustSwitch = true;
    this.#startPlace = place;
    this.#startedAt = now;
    this.#setStop();
  }
}
