// EFLAGS: bit names, and the lazy form in which the engines keep the six arithmetic flags.
//
// Lazy form: two words. `result` is the last result, sign-extended from the operand size. `aux` holds what the result
// cannot say: bit 31 CF, bit 30 CF xor OF, bit 3 AF, bit 0 inverts SF, bits 8-15 are xored into the byte whose parity is PF.
// So ZF = result is 0, SF = sign(result) ^ aux.0, PF = parity((result ^ aux >> 8) & 0xff). An instruction that sets all
// six flags costs two stores, and every condition is a few operations on the two words (the form Bochs uses).

export const CF = 1;
export const PF = 1 << 2;
export const AF = 1 << 4;
export const ZF = 1 << 6;
export const SF = 1 << 7;
export const TF = 1 << 8;
export const IF = 1 << 9;
export const DF = 1 << 10;
export const OF = 1 << 11;
export const IOPL = 3 << 12;
export const NT = 1 << 14;
export const RF = 1 << 16;
export const VM = 1 << 17;
export const AC = 1 << 18;
export const VIF = 1 << 19;
export const VIP = 1 << 20;
export const ID = 1 << 21;

/** The six arithmetic flags. */
export const ARITH = CF | PF | AF | ZF | SF | OF;
/** Bits of EFLAGS that exist on an i686; bit 1 always reads 1. */
export const EXISTING = ARITH | TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID;

/** aux bits, see above. */
export const AUX_CF = 0x8000_0000 | 0;
export const AUX_PO = 0x4000_0000;
export const AUX_AF = 8;
export const AUX_SF = 1;

/** 1 when a byte has an even number of ones. */
export function parityEven(byte: number): number {
  const folded = (byte ^ (byte >> 4)) & 0xf;
  return (0x9669 >> folded) & 1;
}

/** The six arithmetic flags of the lazy form, at their EFLAGS positions. */
export function arithFromLazy(result: number, aux: number): number {
  const cf = aux >>> 31;
  return (
    cf |
    (parityEven((result ^ (aux >> 8)) & 0xff) << 2) |
    ((aux & AUX_AF) << 1) |
    (result === 0 ? ZF : 0) |
    (((result >>> 31) ^ (aux & 1)) << 7) |
    ((cf ^ ((aux >>> 30) & 1)) << 11)
  );
}

/** The lazy result word for given arithmetic flags: 0 when ZF, else a value with parity even and sign clear. */
export function lazyResult(flags: number): number {
  return flags & ZF ? 0 : 0x100;
}

/** The lazy aux word that goes with lazyResult(flags). */
export function lazyAux(flags: number): number {
  const cf = flags & CF;
  const of = (flags >> 11) & 1;
  return (
    (cf << 31) |
    ((cf ^ of) << 30) |
    ((flags & AF) >> 1) |
    ((flags >> 7) & 1) |
    // Both result words have an even low byte (0): one flipped bit makes the parity odd.
    (flags & PF ? 0 : 0x100)
  );
}
