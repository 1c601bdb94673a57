// Named streams of random numbers: the n-th number of a stream depends on seed, name and n alone, so that a new stream never
// shifts another's numbers and every mechanism sees the same draws.

/** FNV-1a over the UTF-16 units of a name. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Mixes 32 bits (the finaliser of MurmurHash3). */
function mix(bits: number): number {
  let h = bits | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The `index`-th number in [0, 1) of the stream `name`. */
export function draw(seed: number, name: string, index: number): number {
  const base = mix(hashName(name) ^ mix(seed + 0x9e3779b9));
  const high = mix(base ^ mix(index + 0x7f4a7c15));
  const low = mix(high ^ 0x2545f491 ^ index);
  return (high * 2 ** 21 + (low >>> 11)) / 2 ** 53;
}

/** Where in its range each named cost lies. */
export type Draws = (name: string) => number;

/** Every cost at its value. */
export const NOMINAL: Draws = () => 0.5;

/** The `index`-th set of draws. */
export function draws(seed: number, index: number): Draws {
  return (name) => draw(seed, name, index);
}
