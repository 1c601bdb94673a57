// Where two sequences of numbers differ: Myers's greedy search, from one place both can be said to agree on to the next.
//
// E. W. Myers, An O(ND) difference algorithm and its variations, Algorithmica 1 (1986). The search keeps its way back, which takes memory
// with the square of the differences met; after so many of them the way that came furthest is taken and the search begins anew there.
// So memory does not depend on the sequences, and what is found is the least number of differences within each stretch.

/** Differences between two places of agreement. */
const STRETCH = 1024;

/** A place where the sequences differ: `ones` numbers of the first from `one` on stand against `twos` of the second from `two` on. */
export interface Gap {
  readonly one: number;
  readonly ones: number;
  readonly two: number;
  readonly twos: number;
}

/** Gaps in order; `most`: so many numbers in gaps are looked for, then `cut` says that there may be more. */
export function align(
  a: Int32Array,
  b: Int32Array,
  most = Number.POSITIVE_INFINITY,
): { readonly gaps: readonly Gap[]; readonly cut: boolean } {
  const gaps: Gap[] = [];
  let [x, y, found] = [0, 0, 0];
  for (;;) {
    while (x < a.length && y < b.length && a[x] === b[y]) {
      x++;
      y++;
    }
    if (x === a.length && y === b.length) return { gaps, cut: false };
    if (found >= most) return { gaps, cut: true };
    const steps = stretch(a, b, x, y);
    for (const [down, at, other] of steps) {
      found++;
      const last = gaps.at(-1);
      if (last !== undefined && last.one + last.ones === at && last.two + last.twos === other)
        gaps[gaps.length - 1] = { ...last, ones: last.ones + (down ? 0 : 1), twos: last.twos + (down ? 1 : 0) };
      else gaps.push({ one: at, ones: down ? 0 : 1, two: other, twos: down ? 1 : 0 });
    }
    const [down, at, other] = steps[steps.length - 1];
    [x, y] = [down ? at : at + 1, down ? other + 1 : other];
  }
}

/** One difference: is it a number of the second sequence, and the places in both before it. */
type Step = readonly [down: boolean, one: number, two: number];

/** The differences from a place on: to the end, or STRETCH of them. */
function stretch(a: Int32Array, b: Int32Array, x0: number, y0: number): Step[] {
  const [n, m] = [a.length - x0, b.length - y0];
  // Furthest place on diagonal k = x - y, at index k + STRETCH + 1; and what each round found, for the way back.
  const furthest = new Int32Array(2 * STRETCH + 3).fill(-1);
  furthest[STRETCH + 2] = 0;
  const rounds: Int32Array[] = [];
  for (let d = 0; ; d++) {
    for (let k = -d; k <= d; k += 2) {
      const at = k + STRETCH + 1;
      const down = k === -d || (k !== d && furthest[at - 1] < furthest[at + 1]);
      let x = down ? furthest[at + 1] : furthest[at - 1] + 1;
      let y = x - k;
      if (x > n || y > m || x < 0) {
        furthest[at] = -2;
        continue;
      }
      while (x < n && y < m && a[x0 + x] === b[y0 + y]) {
        x++;
        y++;
      }
      furthest[at] = x;
    }
    rounds.push(furthest.slice(STRETCH + 1 - d, STRETCH + 2 + d));
    const end = n - m + STRETCH + 1;
    if (Math.abs(n - m) <= d && furthest[end] === n) return wayBack(rounds, n - m, x0, y0);
    if (d === STRETCH) {
      let best = d;
      const reached = rounds[d];
      for (let k = -d; k <= d; k += 2)
        if (reached[k + d] >= 0 && 2 * reached[k + d] - k > 2 * reached[best + d] - best) best = k;
      return wayBack(rounds, best, x0, y0);
    }
  }
}

/** The differences on the way to diagonal k of the last round. */
function wayBack(rounds: readonly Int32Array[], diagonal: number, x0: number, y0: number): Step[] {
  const steps: Step[] = [];
  let k = diagonal;
  for (let d = rounds.length - 1; d > 0; d--) {
    const before = rounds[d - 1];
    const of = (at: number): number => (Math.abs(at) <= d - 1 ? before[at + d - 1] : -1);
    const down = k === -d || (k !== d && of(k - 1) < of(k + 1));
    const from = down ? k + 1 : k - 1;
    const x = of(from);
    steps.push([down, x0 + x, y0 + x - from]);
    k = from;
  }
  return steps.reverse();
}
