// Reverse mapping: for each frame the page table entries that lead to it, as chains (the pte chains of Linux 2.5). PageTables
// keeps them where it puts entries, so that they cannot disagree with the tables.

const FIRST_NODES = 1 << 12;

export class ReverseMap {
  /** Entries that lead to each frame. */
  readonly count: Int32Array;
  /** First node of each frame's chain, 0: none. */
  private readonly head: Int32Array;
  private dir = new Int32Array(FIRST_NODES);
  private page = new Int32Array(FIRST_NODES);
  private next = new Int32Array(FIRST_NODES);
  /** Nodes given back, linked by next; and the first that was never used (0 is no node). */
  private spare = 0;
  private unused = 1;

  /** @param frames frames of the machine */
  constructor(frames: number) {
    this.count = new Int32Array(frames);
    this.head = new Int32Array(frames);
  }

  /** An entry for linear page `page` in the directory whose frame is `dir` leads to `pfn` now. */
  add(pfn: number, dir: number, page: number): void {
    let node = this.spare;
    if (node !== 0) this.spare = this.next[node];
    else {
      node = this.unused++;
      if (node === this.next.length) this.grow();
    }
    this.dir[node] = dir;
    this.page[node] = page;
    this.next[node] = this.head[pfn];
    this.head[pfn] = node;
    this.count[pfn]++;
  }

  /** It does so no longer. */
  remove(pfn: number, dir: number, page: number): void {
    let before = 0;
    for (let node = this.head[pfn]; node !== 0; before = node, node = this.next[node]) {
      if (this.page[node] !== page || this.dir[node] !== dir) continue;
      if (before === 0) this.head[pfn] = this.next[node];
      else this.next[before] = this.next[node];
      this.next[node] = this.spare;
      this.spare = node;
      this.count[pfn]--;
      return;
    }
  }

  /** Calls visit with the directory's frame and the linear page of every entry, last added first; it may remove that entry. */
  each(pfn: number, visit: (dir: number, page: number) => void): void {
    for (let node = this.head[pfn]; node !== 0; ) {
      const next = this.next[node];
      visit(this.dir[node], this.page[node]);
      node = next;
    }
  }

  private grow(): void {
    for (const key of ["dir", "page", "next"] as const) {
      const larger = new Int32Array(this[key].length * 2);
      larger.set(this[key]);
      this[key] = larger;
    }
  }
}
