// A small seeded generator, so that a seed means the same trees and commands everywhere and always.

export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (seed ^ 0x9e3779b9) >>> 0;
    for (let i = 0; i < 4; i++) this.next();
  }

  /** 32 bits (Marsaglia's xorshift with a Weyl step would do; this is mulberry32's mixing). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** An integer from 0 to n - 1. */
  below(n: number): number {
    return this.next() % n;
  }

  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True once in n times on average. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)];
  }

  /** Some of the items, in their order. */
  some<T>(of: readonly T[], atMost: number): T[] {
    const chosen = new Set<number>();
    for (let n = this.below(Math.min(atMost, of.length) + 1); n > 0; n--) chosen.add(this.below(of.length));
    return of.filter((_, i) => chosen.has(i));
  }

  bytes(n: number): Uint8Array {
    const out = new Uint8Array(n);
    for (let i = 0; i < n; i++) out[i] = this.next();
    return out;
  }
}
