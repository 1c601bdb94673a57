// The machine: CPUs, a scheduler, timer ticks, waits along the edges. Exact integer cycles.
//
// Records run in their task's order. The machine moves from interaction to interaction (tick, end of a slice, a record where tasks
// meet) and finds its place on the task's line by bisection; in the per-record mode it stops at every edge of every record
// instead, with the same result.
import { InputError } from "../errors.ts";
import { CAUSE_COUNT } from "./causes.ts";
import { Cpu } from "./cpu.ts";
import { Dependencies } from "./dependencies.ts";
import { chargeRecords, IDLE_DEPENDENCY, IDLE_IO, IDLE_TIMER, MachineCharges } from "./ledger.ts";
import { checkLength } from "./length-check.ts";
import { type Alarm, EventLoop, RANK } from "./loop.ts";
import { type Observer, STOP } from "./observer.ts";
import type { Program } from "./program.ts";
import { PAST, Progress } from "./progress.ts";
import type { MachineTimes, Replayed, ReplayOptions } from "./replay.ts";
import { READY, type Scheduler } from "./schedulers/scheduler.ts";
import { makeScheduler } from "./schedulers/schedulers.ts";
import type { MachineCosts, ShapeCosts } from "./shape-costs.ts";
import { TaskLines } from "./task-lines.ts";
import type { UserCycles } from "./user-cycles.ts";
import { WAIT } from "./waits.ts";

/** Ranks of a wake-up, by kind of wait. */
const WAKE_RANKS = [RANK.wakeup, RANK.timer, RANK.device, RANK.wakeup, RANK.wakeup] as const;

const RUN = { unborn: 0, ready: 1, running: 2, waiting: 3, done: 4 } as const;

/** One replay. Made for one run; `run()` gives the result. */
export class Machine {
  readonly #loop = new EventLoop();
  readonly #program: Program;
  readonly #user: UserCycles;
  readonly #costs: ShapeCosts;
  readonly #times: MachineTimes;
  readonly #perRecord: boolean;
  readonly #observer: Observer | undefined;
  readonly #lines: TaskLines;
  readonly #waits: Dependencies;
  readonly #scheduler: Scheduler;
  readonly #cpus: Cpu[];
  /** The CPU whose task is at a waiting point just now: in the kernel, whatever its place. */
  #acting: Cpu | undefined;
  readonly #running: Int32Array;
  readonly #causes = new Float64Array(CAUSE_COUNT);
  readonly #charges: MachineCharges;
  readonly #finished: Float64Array;
  #switches = 0;
  #blocks = 0;
  #ended = 0;

  readonly #progress: Progress;
  // Of each task: its state, whether it must pay for having been woken, the CPU it was on last, and its alarms by kind of wait.
  readonly #state: Uint8Array;
  readonly #woken: Uint8Array;
  readonly #home: Int32Array;
  readonly #wakeAlarm: (Alarm | undefined)[] = [];

  constructor(
    program: Program,
    user: UserCycles,
    costs: ShapeCosts,
    machine: MachineCosts,
    times: MachineTimes,
    options: ReplayOptions,
  ) {
    const { tasks, process } = program;
    const { cpus = 1, scheduler = "rr", perRecord = false, observer } = options;
    this.#program = program;
    this.#user = user;
    this.#costs = costs;
    this.#times = times;
    this.#perRecord = perRecord;
    this.#observer = observer;
    this.#charges = new MachineCharges(machine);
    this.#lines = new TaskLines(program, user, costs);
    this.#waits = new Dependencies(program, times.cyclesPerNs, options);
    this.#finished = new Float64Array(tasks);
    this.#state = new Uint8Array(tasks);
    this.#progress = new Progress(program, this.#lines, perRecord);
    this.#woken = new Uint8Array(tasks);
    this.#home = new Int32Array(tasks);
    this.#running = new Int32Array(cpus).fill(-1);
    const { tickCycles, quantumCycles, cyclesPerNs } = times;
    const known = { tasks, cpus, process, running: this.#running, tickCycles, quantumCycles, cyclesPerNs };
    this.#scheduler = makeScheduler(scheduler, known);
    const firstTick = tickCycles > 0 ? times.firstTick : Number.POSITIVE_INFINITY;
    this.#cpus = Array.from({ length: cpus }, (_, id): Cpu => {
      const stop = this.#loop.alarm(RANK.wakeup, () => this.#reach(cpu));
      const slice = this.#loop.alarm(RANK.dispatch, () => this.#sliceEnd(cpu));
      const tick = this.#loop.alarm(RANK.tick, () => this.#tick(cpu));
      const cpu = new Cpu(id, firstTick, stop, slice, tick);
      return cpu;
    });
  }

  run(): Replayed {
    checkLength(this.#lines, this.#program.tasks, this.#times, this.#scheduler.period);
    const { tasks, startedBy, firstRecord } = this.#program;
    for (let task = 0; task < tasks; task++) {
      if (firstRecord[task] === firstRecord[task + 1]) this.#ended++;
      else if (startedBy[task] < 0) this.#makeReady(task, READY.born, IDLE_DEPENDENCY, -1, -1);
    }
    while (this.#ended < tasks) if (!this.#loop.step()) this.#deadlock();
    let makespan = 0;
    for (let task = 0; task < tasks; task++) makespan = Math.max(makespan, this.#finished[task]);
    let ticks = 0;
    for (const cpu of this.#cpus) {
      cpu.passIdleTicks(makespan, false, this.#times.tickCycles, this.#charges.tickInIdle, this.#causes);
      cpu.finish(makespan, this.#charges.tickInIdle, this.#causes);
      ticks += cpu.ticks;
    }
    chargeRecords(this.#program, this.#costs, this.#user, this.#causes);
    return {
      makespan,
      causes: this.#causes,
      finished: this.#finished,
      ticks,
      switches: this.#switches,
      blocks: this.#blocks,
    };
  }

  #deadlock(): never {
    const stuck = this.#state.findIndex((state) => state === RUN.waiting || state === RUN.unborn);
    const seq = stuck >= 0 ? this.#program.seq[this.#progress.at[stuck]] : -1;
    throw new InputError(
      `the trace waits for itself: task ${stuck} at event ${seq} depends on something that never happens; check its edges`,
    );
  }

  // --- readiness

  /** An idle CPU, the task's own before others; its own when all are busy. */
  #cpuFor(task: number): Cpu {
    const home = this.#cpus[this.#home[task]];
    if (home.current < 0) return home;
    for (const cpu of this.#cpus) if (cpu.current < 0) return cpu;
    return home;
  }

  #makeReady(task: number, why: number, cause: number, wait: number, by: number): void {
    const { now } = this.#loop;
    this.#observer?.ready(now, task, wait, by);
    this.#state[task] = RUN.ready;
    const cpu = this.#cpuFor(task);
    this.#scheduler.add(task, cpu.id, why, now, by);
    if (cpu.current < 0) {
      this.#endIdle(cpu, cause);
      this.#dispatch(cpu);
      return;
    }
    const victim = this.#scheduler.preempts(task, cpu.id, now);
    if (victim >= 0) this.#takeFrom(this.#cpus[victim]);
  }

  #wake(task: number): void {
    const kind = this.#waits.kind(task);
    const cause = kind === WAIT.device ? IDLE_IO : kind === WAIT.timer ? IDLE_TIMER : IDLE_DEPENDENCY;
    this.#woken[task] = 1;
    this.#makeReady(task, READY.woken, cause, this.#waits.held(task), -1);
  }

  /** Something became ready while the CPU was idle. */
  #endIdle(cpu: Cpu, cause: number): void {
    const { now, rank } = this.#loop;
    if (cpu.nextTick <= now)
      cpu.passIdleTicks(now, rank > RANK.tick, this.#times.tickCycles, this.#charges.tickInIdle, this.#causes);
    cpu.endIdle(now, cause, this.#causes);
  }

  // --- the CPUs

  /** Gives a CPU to the task that its scheduler chooses, if there is one. */
  #dispatch(cpu: Cpu): void {
    const { now } = this.#loop;
    const { process } = this.#program;
    const task = this.#scheduler.take(cpu.id, now);
    if (task < 0) {
      cpu.tick.clear();
      if (this.#charges.fromIdle !== undefined && cpu.last >= 0) {
        cpu.wasIdle = true;
        cpu.idleFrom = Math.max(now, cpu.idleFrom) + this.#charges.switch.to(this.#causes);
      }
      return;
    }
    let cost = 0;
    if (cpu.last >= 0 && (task !== cpu.last || cpu.wasIdle)) {
      this.#switches++;
      cost += this.#charges.switchTo(this.#causes, process[task] === process[cpu.last], cpu.wasIdle);
    }
    cpu.wasIdle = false;
    if (this.#woken[task] === 1) {
      this.#woken[task] = 0;
      cost += this.#charges.wake.to(this.#causes);
    }
    cpu.last = task;
    cpu.current = task;
    cpu.startPlace = this.#progress.place[task];
    cpu.startedAt = Math.max(now, cpu.idleFrom) + cost;
    cpu.mustSwitch = false;
    cpu.wanted = false;
    this.#progress.passSilently(task);
    this.#running[cpu.id] = task;
    this.#home[task] = cpu.id;
    this.#state[task] = RUN.running;
    this.#scheduler.start(task, cpu.id, now);
    this.#observer?.run(cpu.startedAt, cpu.id, task, cpu.startPlace);
    this.#setSlice(cpu, cpu.startedAt);
    if (cpu.nextTick !== Number.POSITIVE_INFINITY) cpu.tick.set(cpu.nextTick);
    this.#setStop(cpu);
  }

  #setSlice(cpu: Cpu, from: number): void {
    const { period } = this.#scheduler;
    if (period !== Number.POSITIVE_INFINITY) cpu.slice.set(from + period);
    else cpu.slice.clear();
  }

  /** The place of a CPU's task on its line. */
  #placeNow(cpu: Cpu): number {
    return cpu.startPlace + Math.max(0, this.#loop.now - cpu.startedAt);
  }

  #setStop(cpu: Cpu): void {
    cpu.stop.set(cpu.startedAt + this.#progress.stopPlace(cpu, this.#placeNow(cpu)) - cpu.startPlace);
  }

  /** A CPU's task has come to where it must stop. */
  #reach(cpu: Cpu): void {
    const task = cpu.current;
    const place = this.#placeNow(cpu);
    const progress = this.#progress;
    const record = progress.at[task];
    this.#acting = cpu;
    if (progress.past[task] === PAST.owing) this.#goOn(cpu, task, place);
    else if (progress.past[task] === PAST.known) this.#recordDone(cpu, task, place);
    else {
      const meeting = progress.meeting(task);
      if (this.#perRecord && place < this.#lines.middle(task, record)) this.#setStop(cpu);
      else if (meeting >= 0 && (meeting === record || !(this.#perRecord || cpu.mustSwitch))) {
        progress.at[task] = meeting;
        this.#meet(cpu, task, place);
      } else if (this.#perRecord) {
        progress.past[task] = PAST.known;
        this.#setStop(cpu);
      } else {
        if (!cpu.mustSwitch) progress.toLast(task);
        this.#recordDone(cpu, task, place);
      }
    }
    this.#acting = undefined;
  }

  /** At the end of the record the task is in. */
  #recordDone(cpu: Cpu, task: number, place: number): void {
    const yields = this.#progress.endRecord(task);
    if (this.#progress.isOver(task)) {
      this.#exit(cpu, task);
      return;
    }
    if ((cpu.mustSwitch || yields) && this.#scheduler.ready(cpu.id)) {
      this.#requeue(cpu, task, place, cpu.mustSwitch ? READY.preempted : READY.yielded);
      return;
    }
    cpu.mustSwitch = false;
    cpu.startPlace = place;
    cpu.startedAt = this.#loop.now;
    this.#setStop(cpu);
  }

  /** The task makes room and stays ready. */
  #requeue(cpu: Cpu, task: number, place: number, why: number): void {
    const { now } = this.#loop;
    this.#observer?.stop(now, cpu.id, task, place, STOP.preempted);
    this.#progress.place[task] = place;
    this.#state[task] = RUN.ready;
    this.#free(cpu, task, false);
    this.#scheduler.add(task, cpu.id, why, now, -1);
    this.#dispatch(cpu);
  }

  #exit(cpu: Cpu, task: number): void {
    const { now } = this.#loop;
    this.#observer?.stop(now, cpu.id, task, this.#lines.length(task), STOP.exit);
    this.#state[task] = RUN.done;
    this.#finished[task] = now;
    this.#ended++;
    this.#free(cpu, task, false);
    this.#dispatch(cpu);
  }

  /** The task leaves the CPU, which is then dispatched anew. */
  #free(cpu: Cpu, task: number, sleeps: boolean): void {
    const { now } = this.#loop;
    this.#scheduler.stop(task, cpu.id, now, sleeps);
    cpu.stop.clear();
    cpu.slice.clear();
    cpu.current = -1;
    this.#running[cpu.id] = -1;
    cpu.idleFrom = now;
  }

  /** The point of a record where its task may have to wait: its work is done, the way out is still to go. */
  #meet(cpu: Cpu, task: number, place: number): void {
    const { now } = this.#loop;
    const stop = this.#progress.nextStop[task];
    const { meetings } = this.#program;
    for (let c = meetings.firstChild[stop]; c < meetings.firstChild[stop + 1]; c++)
      this.#start(meetings.child[c], task, cpu);
    const ready = this.#waits.ready(task, stop, now);
    if (ready !== undefined && ready <= now) {
      this.#goOn(cpu, task, place);
      return;
    }
    this.#blocks++;
    this.#observer?.stop(now, cpu.id, task, place, STOP.wait);
    this.#state[task] = RUN.waiting;
    this.#progress.place[task] = place;
    this.#progress.past[task] = PAST.owing;
    this.#free(cpu, task, true);
    if (ready !== undefined) this.#wakeAt(task, ready);
    this.#dispatch(cpu);
  }

  /** A new task; one that the trace has no records of is left out. */
  #start(task: number, parent: number, cpu: Cpu): void {
    const { firstRecord } = this.#program;
    this.#home[task] = cpu.id;
    if (firstRecord[task] < firstRecord[task + 1]) this.#makeReady(task, READY.born, IDLE_DEPENDENCY, -1, parent);
  }

  /** Nothing is left to wait for: others hear of the record, and the way out begins. */
  #goOn(cpu: Cpu, task: number, place: number): void {
    const stop = this.#progress.nextStop[task]++;
    this.#progress.past[task] = PAST.known;
    cpu.startPlace = place;
    cpu.startedAt = this.#loop.now;
    this.#waits.done(stop, this.#loop.now, this.#waitsAt, this.#wakeAt);
    this.#progress.pass(task, stop, cpu.mustSwitch);
    this.#setStop(cpu);
  }

  /** The stop at which a task waits; -1: it does not. */
  readonly #waitsAt = (task: number): number =>
    this.#state[task] === RUN.waiting ? this.#progress.nextStop[task] : -1;

  /** Wakes a task at a time, which may be now. */
  readonly #wakeAt = (task: number, time: number): void => {
    if (time <= this.#loop.now) this.#wake(task);
    else this.#alarmOf(task, this.#waits.kind(task)).set(time);
  };

  /** A task's alarm for one kind of wait: of those that ring at once, who began to wait first goes first. */
  #alarmOf(task: number, kind: number): Alarm {
    const number = task * WAKE_RANKS.length + kind;
    let alarm = this.#wakeAlarm[number];
    if (alarm === undefined) {
      alarm = this.#loop.alarm(WAKE_RANKS[kind], () => this.#wake(task), true);
      this.#wakeAlarm[number] = alarm;
    }
    return alarm;
  }

  // --- timer and slices

  /** Is a CPU's task in the kernel? */
  #inKernel(cpu: Cpu, place: number): boolean {
    return this.#acting === cpu || this.#progress.inKernel(cpu.current, place);
  }

  #tick(cpu: Cpu): void {
    const { now } = this.#loop;
    const task = cpu.current;
    cpu.ticks++;
    cpu.nextTick += this.#times.tickCycles;
    const place = this.#placeNow(cpu);
    const kernel = now < cpu.startedAt || this.#inKernel(cpu, place);
    const cost = (kernel ? this.#charges.tickInKernel : this.#charges.tickInUser).to(this.#causes);
    this.#observer?.stop(now, cpu.id, task, place, STOP.tick);
    cpu.startPlace = place;
    cpu.startedAt = Math.max(cpu.startedAt, now) + cost;
    this.#observer?.run(cpu.startedAt, cpu.id, task, place);
    this.#setStop(cpu);
    cpu.tick.set(cpu.nextTick);
    if (this.#scheduler.tick(task, cpu.id, now)) this.#takeFrom(cpu);
  }

  /** The end of a slice, or the end of what kept a CPU from being taken. */
  #sliceEnd(cpu: Cpu): void {
    const { now } = this.#loop;
    if (now < cpu.startedAt) {
      cpu.slice.set(cpu.startedAt);
      return;
    }
    const leaves = cpu.wanted || this.#scheduler.expired(cpu.current, cpu.id, now);
    cpu.wanted = false;
    this.#setSlice(cpu, now);
    if (leaves) this.#takeFrom(cpu);
  }

  /** A CPU's task must make room for another: in the program at once, in the kernel on its way out. */
  #takeFrom(cpu: Cpu): void {
    const { now } = this.#loop;
    if (cpu.mustSwitch || !this.#scheduler.ready(cpu.id)) return;
    if (now < cpu.startedAt) {
      cpu.wanted = true;
      cpu.slice.set(cpu.startedAt);
      return;
    }
    const task = cpu.current;
    const place = this.#placeNow(cpu);
    const kernel = this.#inKernel(cpu, place);
    this.#progress.find(task, place);
    if (!kernel) {
      this.#requeue(cpu, task, place, READY.preempted);
      return;
    }
    cpu.mustSwitch = true;
    if (this.#acting === cpu) return;
    cpu.startPlace = place;
    cpu.startedAt = now;
    this.#setStop(cpu);
  }
}
