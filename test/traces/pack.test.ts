// Columns survive packing whatever their values: small, large, beyond 32 bits, unknown, climbing, relative to another column.
import { describe, expect, it } from "vitest";
import { checksum } from "../../src/traces/cache.ts";
import { pack, unpack } from "../../src/traces/pack.ts";
import type { Holding } from "../../src/traces/schema/field.ts";
import { randomNumbers } from "./synthetic.ts";

function through(hold: Holding, column: Float64Array | Int32Array | Uint8Array | Uint16Array, base?: Float64Array) {
  const { packed, bytes } = pack(hold, column, base);
  expect(packed.bytes).toBe(bytes.length);
  return { how: packed.how, column: unpack(hold, { ...packed, check: 0 }, bytes.slice(), column.length, base) };
}

const U32 = 2 ** 32;
const COUNTS: readonly [what: string, how: string, values: number[]][] = [
  ["nothing", "same", []],
  ["one value", "same", [7, 7, 7]],
  ["nothing known", "same", [Number.NaN, Number.NaN]],
  ["values of 8 bits and unknowns", "u8", [3, Number.NaN, 257, 3]],
  ["one more than 8 bits hold beside unknown", "u16", [3, Number.NaN, 258, 3]],
  ["values of 16 bits", "u16", [65534, 0, Number.NaN]],
  ["values of 32 bits", "u32", [U32 - 2, 0, 5]],
  ["one more than 32 bits hold beside unknown", "f64", [U32 - 1, 0, 5]],
  ["values beyond 32 bits", "f64", [2 ** 53 - 1, 0, Number.NaN, 2 ** 40]],
  ["large values close together", "u8", [2 ** 50 + 1, 2 ** 50, 2 ** 50 + 200]],
  [
    "a climb in small steps",
    "d8",
    [2 ** 40, 2 ** 40 + 255, 2 ** 41]
      .map((v, i) => (i === 2 ? 2 ** 40 + 510 : v))
      .concat(Array.from({ length: 300 }, (_, i) => 2 ** 40 + 511 + 200 * i)),
  ],
  ["a climb far beyond 32 bits in steps of 32", "d32", Array.from({ length: 9 }, (_, i) => i * 3e9)],
  ["a climb with steps beyond 32 bits", "f64", [0, 1, 2 ** 45]],
  ["a climb with an unknown", "f64", [0, Number.NaN, 2 ** 45]],
];

describe("counts", () => {
  it.each(COUNTS)("%s", (_, how, values) => {
    const got = through("count", Float64Array.from(values));
    expect([...got.column]).toEqual(values);
    expect(got.how).toBe(how);
  });

  it("are signed where they may be", () => {
    const values = [-(2 ** 53) + 1, -1, 0, 2 ** 53 - 1, Number.NaN];
    expect([...through("signed", Float64Array.from(values)).column]).toEqual(values);
    const small = [-4095, -1, 0, Number.NaN, 100];
    const got = through("signed", Float64Array.from(small));
    expect([...got.column]).toEqual(small);
    expect(got.how).toBe("u16");
  });

  it("as differences to another column", () => {
    const base = Float64Array.from([2 ** 45, 2 ** 46, 2 ** 47, 2 ** 48]);
    const values = [2 ** 45 + 3, Number.NaN, 2 ** 47, 2 ** 48 + 250];
    const got = through("count", Float64Array.from(values), base);
    expect([...got.column]).toEqual(values);
    expect(got.how).toBe("u8");
    const far = [2 ** 45, 2 ** 50, 2 ** 51, 2 ** 52 + 1];
    const wide = through("count", Float64Array.from(far), base);
    expect([...wide.column]).toEqual(far);
    expect(wide.how).toBe("f64");
  });
});

describe("other columns", () => {
  it("ids, with unknown as -1", () => {
    const values = [-1, 0, 0x7fffffff, 5];
    expect([...through("id", Int32Array.from(values)).column]).toEqual(values);
    expect(through("small", Int32Array.from([-1, -1])).how).toBe("same");
    const got = through("small", Int32Array.from([4, 4])).column;
    expect(got).toBeInstanceOf(Int32Array);
    expect([...got]).toEqual([4, 4]);
  });

  it("enumerations and flags, as they are", () => {
    expect([...through("enum", Uint8Array.from([0, 3, 255])).column]).toEqual([0, 3, 255]);
    expect([...through("flags", Uint16Array.from([0x8000, 0, 0x3ff])).column]).toEqual([0x8000, 0, 0x3ff]);
  });

  it("random ones", () => {
    const random = randomNumbers(11);
    for (let run = 0; run < 200; run++) {
      const scale = 2 ** (random() % 54);
      const shift = random() % 2 ? 0 : 2 ** (random() % 50);
      const values = Float64Array.from({ length: random() % 60 }, () =>
        random() % 9 === 0 ? Number.NaN : Math.min(2 ** 53 - 1, Math.floor((random() / U32) * scale) + shift),
      );
      if (random() % 3 === 0) values.sort();
      expect([...through("count", values).column]).toEqual([...values]);
    }
  });
});

it("the checksum sees every single changed bit", () => {
  const random = randomNumbers(4);
  const bytes = Uint8Array.from({ length: 61 }, () => random());
  const seen = new Set([checksum(bytes)]);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const bad = bytes.slice();
    bad[bit >> 3] ^= 1 << (bit & 7);
    seen.add(checksum(bad));
  }
  expect(seen.size).toBe(bytes.length * 8 + 1);
});
