// The guest's randomness: one seeded generator (xoshiro128**, Blackman and Vigna), so that runs repeat.

function rotl(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

export class Random {
  private readonly s = new Int32Array(4);

  /** @param seed any integer */
  constructor(seed: number) {
    // splitmix32 spreads the seed over the state.
    let x = seed | 0;
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e37_79b9) | 0;
      let z = x ^ (x >>> 16);
      z = Math.imul(z, 0x21f0_aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a_2d97);
      this.s[i] = z ^ (z >>> 15);
    }
  }

  /** 32 random bits, unsigned. */
  u32(): number {
    const { s } = this;
    const result = Math.imul(rotl(Math.imul(s[1], 5), 7), 9);
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11);
    return result >>> 0;
  }

  bytes(n: number): Uint8Array {
    const out = new Uint8Array(n);
    for (let i = 0; i < n; i += 4) {
      const word = this.u32();
      for (let j = i; j < n && j < i + 4; j++) out[j] = word >>> (8 * (j - i));
    }
    return out;
  }
}
