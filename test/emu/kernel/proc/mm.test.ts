// Frames and areas against plain models of themselves.
import { describe, expect, it } from "vitest";
import { FrameAllocator, NO_FRAME } from "../../../../src/emu/kernel/mm/frames.ts";
import { VM_READ, VM_WRITE, Vma, VmaList } from "../../../../src/emu/kernel/mm/vma.ts";
import { Random } from "../../../../src/emu/kernel/random.ts";

const PAGE = 4096;

describe("FrameAllocator", () => {
  it("gives every managed frame once, and none of the kernel's", () => {
    const frames = new FrameAllocator(64 * PAGE, 10 * PAGE, () => {});
    const seen = new Set<number>();
    for (let pfn = frames.take(); pfn !== NO_FRAME; pfn = frames.take()) seen.add(pfn);
    expect(seen.size).toBe(frames.managed);
    expect(Math.min(...seen)).toBe(10);
    expect(frames.free).toBe(0);
    expect(frames.takePair()).toBe(NO_FRAME);
  });

  it("keeps count through any order of taking, sharing and giving back", () => {
    const random = new Random(7);
    const reused: number[] = [];
    const frames = new FrameAllocator(256 * PAGE, 0, (pfn) => reused.push(pfn));
    const held = new Map<number, number>();
    const pairs = new Set<number>();
    for (let i = 0; i < 20_000; i++) {
      const dice = random.u32() % 100;
      const keys = [...held.keys()];
      const some = keys[random.u32() % Math.max(1, keys.length)];
      if (dice < 35) {
        const pfn = frames.take();
        if (pfn !== NO_FRAME) {
          expect(held.has(pfn) || pairs.has(pfn & ~1)).toBe(false);
          held.set(pfn, 1);
        }
      } else if (dice < 40) {
        const pfn = frames.takePair();
        if (pfn !== NO_FRAME) {
          expect(pfn % 2).toBe(0);
          expect(held.has(pfn) || held.has(pfn + 1) || pairs.has(pfn)).toBe(false);
          pairs.add(pfn);
        }
      } else if (dice < 50 && some !== undefined) {
        frames.get(some);
        held.set(some, held.get(some)! + 1);
      } else if (dice < 90 && some !== undefined) {
        frames.put(some);
        if (held.get(some) === 1) held.delete(some);
        else held.set(some, held.get(some)! - 1);
      } else if (pairs.size > 0) {
        const [pair] = pairs;
        frames.put(pair);
        frames.put(pair + 1);
        pairs.delete(pair);
      }
      expect(frames.free).toBe(frames.managed - held.size - 2 * pairs.size);
      for (const [pfn, refs] of held) if (pfn === some) expect(frames.refs(pfn)).toBe(refs);
    }
    expect(reused.length).toBeGreaterThan(frames.managed);
  });

  it("ignores frames that nobody holds", () => {
    const frames = new FrameAllocator(16 * PAGE, 4 * PAGE, () => {});
    const { free } = frames;
    frames.put(5);
    frames.put(0);
    frames.get(0);
    frames.put(99);
    expect(frames.free).toBe(free);
  });
});

describe("VmaList", () => {
  it("finds what a search of the whole list finds", () => {
    const random = new Random(3);
    const list = new VmaList();
    const all: Vma[] = [];
    for (let i = 0; i < 400; i++) {
      const start = (random.u32() % 5000) * PAGE;
      const end = start + (1 + (random.u32() % 4)) * PAGE;
      if (!all.some((v) => v.start < end && start < v.end)) {
        const vma = new Vma(start, end, VM_READ, 0);
        all.push(vma);
        list.insert(vma);
      }
      if (i % 7 === 0 && all.length > 0) list.remove(all.splice(random.u32() % all.length, 1)[0]);
      const at = (random.u32() % 5000) * PAGE + (random.u32() % PAGE);
      const above = all.filter((v) => v.end > at).sort((a, b) => a.start - b.start)[0];
      expect(list.find(at)).toBe(above);
      expect(list.at(at)).toBe(above !== undefined && above.start <= at ? above : undefined);
      const to = at + (1 + (random.u32() % 20)) * PAGE;
      expect(list.overlapping(at, to)).toEqual(
        all.filter((v) => v.start < to && v.end > at).sort((a, b) => a.start - b.start),
      );
    }
  });

  it("removes an area that its neighbour already reaches over", () => {
    const list = new VmaList();
    const [low, high] = [new Vma(0, PAGE, VM_READ, 0), new Vma(PAGE, 2 * PAGE, VM_READ, 1)];
    for (const vma of [low, high]) list.insert(vma);
    low.end = high.end;
    list.remove(high);
    expect(list.list).toEqual([low]);
  });

  it("joins only what is alike and adjacent", () => {
    const area = (start: number, end: number, flags: number) => new Vma(start, end, flags, start / PAGE);
    const a = area(0, PAGE, VM_READ);
    expect(a.canMerge(area(PAGE, 2 * PAGE, VM_READ))).toBe(true);
    expect(a.canMerge(area(2 * PAGE, 3 * PAGE, VM_READ))).toBe(false);
    expect(a.canMerge(area(PAGE, 2 * PAGE, VM_READ | VM_WRITE))).toBe(false);
  });
});
