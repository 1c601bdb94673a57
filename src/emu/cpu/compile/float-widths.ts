// Numbers of WebAssembly's vector instructions on singles and on doubles, and the numbers that bound what is plain.

/** Numbers of the instructions for one width of lanes. */
export interface Width {
  readonly bytes: 4 | 8;
  readonly least: number;
  /** Patterns shifted left by one, their upper 32 bits: of the least normal number, and of infinity. */
  readonly leastBits: number;
  readonly infinityBits: number;
  readonly extract: number;
  readonly replace: number;
  readonly abs: number;
  readonly nearest: number;
  readonly allTrue: number;
  readonly less: number;
  readonly most: number;
  /** Equal, unequal, less, greater, less or equal, greater or equal; of vectors, and of scalars. */
  readonly compare: number;
  readonly compareScalar: number;
  readonly lane: Readonly<Record<string, number>>;
  readonly scalar: Readonly<Record<string, number>>;
}

export const SINGLE: Width = {
  bytes: 4,
  least: 2 ** -126,
  leastBits: 0x0100_0000,
  infinityBits: 0xff00_0000,
  extract: 0x1f,
  replace: 0x20,
  abs: 0xe0,
  nearest: 0x6a,
  allTrue: 0xa3,
  less: 0xea,
  most: 0xeb,
  compare: 0x41,
  compareScalar: 0x5b,
  lane: { add: 0xe4, sub: 0xe5, mul: 0xe6, div: 0xe7, sqrt: 0xe3 },
  scalar: { add: 0x92, sub: 0x93, mul: 0x94, div: 0x95, sqrt: 0x91, nearest: 0x90 },
};
export const DOUBLE: Width = {
  bytes: 8,
  least: 2 ** -1022,
  leastBits: 0x0020_0000,
  infinityBits: 0xffe0_0000,
  extract: 0x21,
  replace: 0x22,
  abs: 0xec,
  nearest: 0x94,
  allTrue: 0xc3,
  less: 0xf6,
  most: 0xf7,
  compare: 0x47,
  compareScalar: 0x61,
  lane: { add: 0xf0, sub: 0xf1, mul: 0xf2, div: 0xf3, sqrt: 0xef },
  scalar: { add: 0xa0, sub: 0xa1, mul: 0xa2, div: 0xa3, sqrt: 0x9f, nearest: 0x9e },
};
export const EQ = 0;
export const NE = 1;
export const LT = 2;
export const GT = 3;
export const LE = 4;
export const GE = 5;

export const AND = 0x4e;
export const OR = 0x50;
export const XOR = 0x51;
export const ANY_TRUE = 0x53;
export const EXTRACT_INTEGER = 0x1b;
export const BITS_OF_DOUBLE = 0xbd;
export const ALL_LANES = 0xf;
export const TWO_31 = 2 ** 31;

/** The width of lanes of so many bytes. */
export const widthOf = (bytes: number): Width => (bytes === 8 ? DOUBLE : SINGLE);
