// A running SHA-256 (FIPS 180-4), for what a run takes in from the host.

const K = new Int32Array(64);
const START = new Int32Array(8);
{
  // The fractional parts of the cube and square roots of the first primes.
  let n = 0;
  for (let p = 2; n < 64; p++) {
    let prime = true;
    for (let d = 2; d * d <= p; d++) if (p % d === 0) prime = false;
    if (!prime) continue;
    if (n < 8) START[n] = fraction(p ** (1 / 2));
    K[n++] = fraction(p ** (1 / 3));
  }
}

function fraction(x: number): number {
  return ((x - Math.floor(x)) * 2 ** 32) | 0;
}

/** Bytes go in by update(); hex() may be asked at any time and does not end it. */
export class Digest {
  private readonly h = START.slice();
  private readonly block = new Uint8Array(64);
  private readonly w = new Int32Array(64);
  private length = 0;

  update(bytes: Uint8Array): void {
    let used = this.length % 64;
    this.length += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const n = Math.min(64 - used, bytes.length - at);
      this.block.set(bytes.subarray(at, at + n), used);
      at += n;
      used += n;
      if (used < 64) return;
      this.compress(this.block, this.h);
      used = 0;
    }
  }

  /** The digest of everything so far. */
  hex(): string {
    const h = this.h.slice();
    const used = this.length % 64;
    const tail = new Uint8Array(used < 56 ? 64 : 128);
    tail.set(this.block.subarray(0, used));
    tail[used] = 0x80;
    new DataView(tail.buffer).setBigUint64(tail.length - 8, BigInt(this.length) * 8n);
    for (let at = 0; at < tail.length; at += 64) this.compress(tail.subarray(at, at + 64), h);
    return [...h].map((x) => (x >>> 0).toString(16).padStart(8, "0")).join("");
  }

  private compress(p: Uint8Array, h: Int32Array): void {
    const w = this.w;
    for (let i = 0; i < 16; i++) w[i] = (p[4 * i] << 24) | (p[4 * i + 1] << 16) | (p[4 * i + 2] << 8) | p[4 * i + 3];
    for (let i = 16; i < 64; i++) {
      const a = w[i - 15];
      const b = w[i - 2];
      const s0 = ror(a, 7) ^ ror(a, 18) ^ (a >>> 3);
      const s1 = ror(b, 17) ^ ror(b, 19) ^ (b >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, k] = h;
    for (let i = 0; i < 64; i++) {
      const t1 = (k + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const t2 = ((ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      k = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    const add = [a, b, c, d, e, f, g, k];
    for (let i = 0; i < 8; i++) h[i] = (h[i] + add[i]) | 0;
  }
}

function ror(x: number, n: number): number {
  return (x >>> n) | (x << (32 - n));
}
