// Books of memory kept by somebody else, compared with the kernel's own at every event of a run: which frames hold pages is noted one by
// one as pages come and go, and each eviction must be of a page that nobody maps any more. mm/audit.ts walks everything, rarely;
// this only adds up, always.
import type { EventEnter, EventLeave, Recorder } from "../../../../src/emu/capture/recorder.ts";
import type { Kernel } from "../../../../src/emu/kernel/kernel.ts";
import { KIND } from "../../../../src/traces/schema/enums.ts";

/** What pages came in. */
interface Came {
  faults: number;
  calls: number;
  /** With no event open: the kernel's threads, and what the disk finishes by itself. */
  others: number;
}

export class Steps {
  /** The first things that were wrong. */
  readonly wrong: string[] = [];
  /** Events at which the books were compared: faults that begin and that end, evictions, reads from swap and writes. */
  readonly compared = { begun: 0, ended: 0, evict: 0, swapin: 0, writeback: 0 };
  readonly came: Came = { faults: 0, calls: 0, others: 0 };
  evicted = 0;
  freed = 0;
  /** Entries that lead to them. */
  private mapped = 0;
  private readonly k: Kernel;
  /** Frames that hold a page. */
  private readonly resident = new Set<number>();
  /** Kinds of the events that are open. */
  private readonly open = new Map<number, number>();
  /** Slots read, by the events. */
  private reads = 0;

  /** @param k before it runs its first instruction */
  constructor(k: Kernel) {
    this.k = k;
    for (const [pfn] of k.lists) this.resident.add(pfn);
    this.came.others = this.resident.size;
    for (const pfn of this.resident) this.mapped += k.rmap.count[pfn];
    this.watchLists();
    this.watchMappings();
    this.watchEvents();
  }

  private watchLists(): void {
    const { lists, rmap } = this.k;
    const { add, evict, forget } = lists;
    lists.add = (pfn, list) => {
      const kind = this.open.get(this.k.current.seq);
      this.came[kind === KIND.fault ? "faults" : kind === undefined ? "others" : "calls"]++;
      if (this.resident.has(pfn)) this.note(`frame ${pfn} came twice`);
      this.resident.add(pfn);
      add.call(lists, pfn, list);
    };
    lists.evict = (pfn) => {
      this.evicted++;
      if (!this.resident.delete(pfn)) this.note(`frame ${pfn} was evicted and held nothing`);
      if (rmap.count[pfn] !== 0) this.note(`frame ${pfn} was evicted while ${rmap.count[pfn]} entries lead to it`);
      if (this.evicted !== this.compared.evict)
        this.note(`eviction ${this.evicted} behind event ${this.compared.evict}`);
      evict.call(lists, pfn);
    };
    lists.forget = (pfn) => {
      if (this.resident.delete(pfn)) this.freed++;
      forget.call(lists, pfn);
    };
  }

  private watchMappings(): void {
    const { rmap } = this.k;
    const { add, remove } = rmap;
    rmap.add = (pfn, dir, page) => {
      this.mapped++;
      add.call(rmap, pfn, dir, page);
    };
    rmap.remove = (pfn, dir, page) => {
      this.mapped--;
      remove.call(rmap, pfn, dir, page);
    };
  }

  private watchEvents(): void {
    // The kernel's recorder, whatever it is: these two are told what it is told.
    const recorder: Recorder = this.k.recorder;
    const { enter, leave } = recorder;
    recorder.enter = (e: EventEnter) => {
      const seq = enter.call(recorder, e);
      this.open.set(seq, e.kind);
      this.entered(e.kind);
      return seq;
    };
    recorder.leave = (seq: number, end: EventLeave) => {
      if (this.open.get(seq) === KIND.fault) {
        this.compared.ended++;
        this.compare();
      }
      this.open.delete(seq);
      leave.call(recorder, seq, end);
    };
  }

  private entered(kind: number): void {
    const { compared, k } = this;
    if (kind === KIND.fault) compared.begun++;
    else if (kind === KIND.evict) compared.evict++;
    else if (kind === KIND.writeback) compared.writeback++;
    else if (kind === KIND.swapin) {
      compared.swapin++;
      this.reads++;
    } else return;
    if (this.reads - k.vm.pswpin > 1) this.note(`${this.reads} reads from swap told, ${k.vm.pswpin} made`);
    this.compare();
  }

  /** The kernel's books against these: pages, mappings, frames. */
  private compare(): void {
    const { k, resident } = this;
    const { lists, frames } = k;
    const { faults, calls, others } = this.came;
    const sum = lists.size.reduce((a, b) => a + b, 0);
    this.same("pages on the lists", sum, resident.size);
    this.same(
      "resident: came less evicted and freed",
      resident.size,
      faults + calls + others - this.evicted - this.freed,
    );
    this.same("pages that came", lists.added, faults + calls + others);
    this.same("evicted", lists.evicted, this.evicted);
    let counted = 0;
    for (const mm of k.mms.values()) counted += mm.rss;
    this.same("pages that address spaces count, and entries of resident frames", counted, this.mapped);
    let stacks = k.idle.kstackPfn >= 0 ? 2 : 0;
    for (const t of k.tasks.values()) if (t.kstackPfn >= 0) stacks += 2;
    // The page of zeroes, too.
    this.same("frames", frames.managed - frames.free, resident.size + k.pageTables.held + stacks + 1);
  }

  private same(what: string, is: number, right: number): void {
    if (is !== right) this.note(`${what}: ${is}, not ${right}`);
  }

  private note(what: string): void {
    if (this.wrong.length < 5) this.wrong.push(`event ${JSON.stringify(this.compared)}: ${what}`);
  }
}
