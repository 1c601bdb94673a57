// Memory shared between processes without a file's name: MAP_SHARED | MAP_ANONYMOUS.

import type { FrameAllocator } from "./frames.ts";
import type { PageTables } from "./pagetable.ts";
import type { Mapping } from "./vma.ts";

export class SharedAnon implements Mapping {
  readonly vmas = new Set<unknown>();
  readonly pageCount: number;
  private readonly pages = new Map<number, { readonly pfn: number }>();
  private readonly tables: PageTables;
  private readonly frames: FrameAllocator;

  constructor(tables: PageTables, frames: FrameAllocator, pageCount: number) {
    this.tables = tables;
    this.frames = frames;
    this.pageCount = pageCount;
  }

  getPage(index: number): number {
    let page = this.pages.get(index);
    if (page === undefined) {
      page = { pfn: this.tables.takeZeroed() };
      this.pages.set(index, page);
    }
    return page.pfn;
  }

  cached(index: number): { readonly pfn: number } | null {
    return this.pages.get(index) ?? null;
  }

  atHand(index: number): { readonly pfn: number } | null {
    return this.cached(index);
  }

  markDirty(): void {}

  /** The last mapping is gone. */
  release(): void {
    for (const { pfn } of this.pages.values()) this.frames.put(pfn);
    this.pages.clear();
  }
}
