// Where the x87 lies in linear memory, for TypeScript and for WebAssembly alike, and what the quick routines promise.
//
// A register slot is 16 bytes: the significand as one little-endian 64-bit word, then an i32 with the exponent in bits
// 0-14, the sign in bit 15 and the tag, as in the tag word, in bits 16-17, which always agrees with the value; then 4 bytes
// unused. The slots are the physical registers R0-R7; ST(i) lies at FPU_REGS + ((top + 16 * i) & 0x70), top being the word
// at FPU_TOP, 16 times the field of the status word. A pop sets the tag to empty and leaves the value, as the real stack
// does. The status word lies in FPU_SW but for TOP, C1 and PE, which have words of their own that are quick to write.
//
// FPU_MODE says which quick routines may run; it is 0 unless every exception is masked and CR0.EM and CR0.TS are clear.
// It follows the control word and CR0 by itself (Fpu.refresh); code that changes FPU_CW in place must leave it right.
//
// quick/ holds routines on values (sums, products, conversions...) and, made of them, whole instructions, which do all that
// the instruction does - value, tag, TOP, C0-C3, exception flags, the arithmetic flags of FCOMI - or, when the case is not
// theirs, nothing at all: then fpuExec (fpu.ts) is to execute the instruction. What quick code leaves to its caller is the
// last instruction's place: FPU_FIP, FPU_FCS_FOP and, for memory forms, FPU_FDP and FPU_FDS.
//
// The interpreter calls Quick.exec (quick/kernel.ts). A compiler puts routines() into its own module (they call nothing and
// need one memory at index 0) and has quick/compile.ts emit the instructions of a basic block.

/** Byte offset of the block in the CPU state block, and its size in 32-bit words. */
export const FPU_BLOCK = 0x400;
export const FPU_WORDS = 48;

/** Byte addresses within the state block (which is at address 0 of linear memory). */
export const FPU_REGS = FPU_BLOCK;
/** 16 * TOP: 0, 16, ... 112. */
export const FPU_TOP = FPU_BLOCK + 0x80;
/** Status word without TOP, C1 and PE. */
export const FPU_SW = FPU_BLOCK + 0x84;
export const FPU_CW = FPU_BLOCK + 0x88;
/** MODE_* bits. */
export const FPU_MODE = FPU_BLOCK + 0x8c;
/** Last instruction: offset; selector | opcode << 16; operand's offset; operand's selector. */
export const FPU_FIP = FPU_BLOCK + 0x90;
export const FPU_FCS_FOP = FPU_BLOCK + 0x94;
export const FPU_FDP = FPU_BLOCK + 0x98;
export const FPU_FDS = FPU_BLOCK + 0x9c;
/** C1: 0 or 1. */
export const FPU_C1 = FPU_BLOCK + 0xa0;
/** PE: set when the 64-bit word is not 0. */
export const FPU_PE = FPU_BLOCK + 0xa8;

/** Bytes from a slot's start to its exponent word. */
export const SLOT_SE = 8;
/** Tags in a slot's exponent word: a normal number, zero, anything else, empty. */
export const TAG_ZERO = 0x1_0000;
export const TAG_SPECIAL = 0x2_0000;
export const TAG_EMPTY = 0x3_0000;

/** The x87 is available and all exceptions are masked: moves, loads, comparisons, stores as integers. */
export const MODE_MASKED = 1;
/** And rounding is to nearest: stores as reals. */
export const MODE_NEAREST = 2;
/** And precision is 64 bits: arithmetic. */
export const MODE_FULL = 4;
