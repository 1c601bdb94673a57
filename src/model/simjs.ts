// simjs 2.0.3, which exports nothing: it only sets `window.Sim`. It is lent a window for as long as it takes to load.
import { lent, scope } from "./lent-window.ts";
import "simjs";

/** An entry of simjs's event list. `order` is set by the list when the entry is inserted and decides between equal times. */
export interface QueueEntry {
  deliverAt: number;
  order: number;
  cancelled: boolean;
  deliver(): void;
}

/** simjs's event list: a binary heap in `data`, least `(deliverAt, order)` first. `order` is the number the next entry gets. */
export interface Queue {
  data: QueueEntry[];
  order: number;
  insert(entry: QueueEntry): void;
  remove(): QueueEntry | null;
}

/** The simulator: a clock and an event list. Nothing else of simjs is used. */
export interface Simulator {
  simTime: number;
  queue: Queue;
  /** Removes the first entry, moves the clock to it and delivers it; false when the list is empty. */
  step(): boolean;
}

interface Library {
  Sim: new () => Simulator;
}

const library = scope.window?.Sim as Library | undefined;
if (lent) delete scope.window;
if (library === undefined) throw new Error("simjs did not load");

/** A new simulator at time 0. */
export function simulator(): Simulator {
  return new library!.Sim();
}
