// Threads of the kernel: tasks that have no program and no address space, and wait whenever they are not at work.
import type { Kernel } from "./kernel.ts";
import { BodyActivity, saveContext } from "./sched.ts";
import { Task } from "./task.ts";
import type { Wait, WakeReason } from "./wait.ts";

/**
 * Makes a thread of the kernel and starts it. It is not in the table of processes: nobody can signal it or wait for it.
 * @param work goes on for ever; what it yields is what it waits for
 */
export function kernelThread(k: Kernel, name: string, work: Generator<Wait, never, WakeReason>): Task {
  const t = new Task(0, k.ids.task());
  t.comm = name;
  t.startTime = t.accounted = k.clock.now();
  // It never runs guest code; what the CPU holds meanwhile is as good as anything.
  saveContext(k, t.context);
  t.activity = new BodyActivity(
    () => work,
    () => {},
  );
  k.recorder.task({ task: t.id, tgid: t.id, mm: -1, pid: 0, ring: 0, comm: name, exe: "" });
  k.sched.wakeUp(t);
  return t;
}
