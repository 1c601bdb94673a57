// Where everything of a ring-0 image lies, the selectors of its tables, and how descriptors, gates and task states are written.

/** The image is loaded here; its harness is below WORK. */
export const BASE = 0x10_0000;
/** One stub of STUB_BYTES for each vector: log the event and go to the next case; or log it and IRET. */
export const ENDS = 0x10_1000;
export const RESUMES = 0x10_2000;
export const STUB_BYTES = 10;
/** Stack of the harness itself. */
export const HARNESS_STACK = 0x10_f000;

/** The pages that every case begins with anew, copied from PRISTINE. */
export const WORK = 0x11_0000;
export const PD = 0x11_0000;
export const PT0 = 0x11_1000;
/** Maps 4-8 MiB: page 0 and 1 to DATA and DATA1, nothing else. */
export const PT1 = 0x11_2000;
export const GDT = 0x11_3000;
export const LDT = 0x11_4000;
export const IDT = 0x11_5000;
export const TSSA = 0x11_6000;
export const TSSB = 0x11_6400;
export const TSSC = 0x11_6800;
export const TSSD = 0x11_6c00;
export const TSS16A = 0x11_7000;
export const TSS16B = 0x11_7400;
/** What LGDT and LIDT load; CR0, CR4 and the selectors for LLDT and LTR when a case begins. */
export const GDTR = 0x11_7800;
export const IDTR = 0x11_7808;
export const START_CR0 = 0x11_7810;
export const START_CR4 = 0x11_7814;
export const START_LDT = 0x11_7818;
export const START_TR = 0x11_781c;
/** Tops of stacks, a page each: of ring 0 cases, then what TSSA names for rings 0-2, ring 3, tasks. */
export const STACK = 0x11_9000;
export const STACK0 = 0x11_a000;
export const STACK1 = 0x11_b000;
export const STACK2 = 0x11_c000;
export const STACK3 = 0x11_d000;
export const STACKB = 0x11_e000;
export const STACKD = 0x11_f000;
export const DATA = 0x11_f000;
export const DATA1 = 0x12_0000;
/** The case's own code; `TARGET` holds INT 0xff, where gates and tasks lead unless the case says otherwise. */
export const CODE = 0x12_1000;
export const TARGET = 0x12_1f00;
export const WORK_END = 0x12_2000;
export const PRISTINE = 0x13_0000;
export const CASES = 0x15_0000;
/** Linear address of DATA through PT1. */
export const ALIAS = 0x40_0000;

export const KCODE = 0x08;
export const KDATA = 0x10;
export const CODE1 = 0x19;
export const DATASEG1 = 0x21;
export const CODE2 = 0x2a;
export const DATASEG2 = 0x32;
export const UCODE = 0x3b;
export const UDATA = 0x43;
export const SEL_TSSA = 0x48;
export const SEL_TSSB = 0x50;
export const SEL_TSSC = 0x58;
export const SEL_TSSD = 0x60;
export const SEL_TSS16A = 0x68;
export const SEL_TSS16B = 0x70;
export const SEL_LDT = 0x78;
/** The harness's code by 16-bit offsets. */
export const KLOW = 0x80;
/** CODE's page as 16-bit segments of DPL 0 and 3. */
export const KCODE16 = 0x88;
export const UCODE16 = 0x93;
/** Conforming code of DPL 0. */
export const CONFORMING = 0x98;
/** 16-bit stack segment over WORK, DPL 0; 16-bit flat-based stack of DPL 3. */
export const KSTACK16 = 0xa0;
export const USTACK16 = 0xab;
/** For the cases: free in GDT and LDT. */
export const FREE = 0x100;
export const FREE2 = 0x108;
export const FREE3 = 0x110;
export const FREE_LDT = 0x14;
export const GDT_LIMIT = 0x1ff;
export const LDT_LIMIT = 0x3f;

/** Access bytes. */
export const ACCESS = {
  dataR: 0x90,
  dataRW: 0x92,
  downR: 0x94,
  downRW: 0x96,
  codeX: 0x98,
  codeXR: 0x9a,
  confX: 0x9c,
  confXR: 0x9e,
  ldt: 0x82,
  tss16: 0x81,
  tss16Busy: 0x83,
  tss: 0x89,
  tssBusy: 0x8b,
  call16: 0x84,
  task: 0x85,
  int16: 0x86,
  trap16: 0x87,
  call: 0x8c,
  int: 0x8e,
  trap: 0x8f,
} as const;

/** A word to be written before a case; text is an expression of the case's own labels. */
export type Poke = readonly [address: number, value: number | string];

/** D/B and G of a descriptor, as in its byte 6. */
export const FLAT = 0xc0;
export const SMALL32 = 0x40;

/** A segment descriptor's two words. `limit` in units of the granularity that `flags` chooses. */
export function segment(base: number, limit: number, access: number, flags: number = FLAT): [number, number] {
  return [
    (((base & 0xffff) << 16) | (limit & 0xffff)) >>> 0,
    ((base & 0xff00_0000) | ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf_0000) | (flags << 16)) >>> 0,
  ];
}

/** A gate's two words. */
export function gate(selector: number, offset: number, access: number, count = 0): [number, number] {
  return [((selector << 16) | (offset & 0xffff)) >>> 0, ((offset & 0xffff_0000) | (access << 8) | count) >>> 0];
}

function slot(selector: number): number {
  return (selector & 4 ? LDT : GDT) + (selector & 0xfff8);
}

/** A descriptor in the GDT or LDT. */
export function putDescriptor(selector: number, [low, high]: [number, number]): Poke[] {
  return [
    [slot(selector), low],
    [slot(selector) + 4, high],
  ];
}

export const putSegment = (selector: number, base: number, limit: number, access: number, flags: number = FLAT) =>
  putDescriptor(selector, segment(base, limit, access, flags));

/** A flat segment. */
export const putFlat = (selector: number, access: number) => putSegment(selector, 0, 0xf_ffff, access);

export const putGate = (selector: number, target: number, offset: number, access: number, count = 0) =>
  putDescriptor(selector, gate(target, offset, access, count));

/** An entry of the IDT. */
export function putVector(vector: number, target: number, offset: number, access: number): Poke[] {
  const [low, high] = gate(target, offset, access);
  return [
    [IDT + 8 * vector, low],
    [IDT + 8 * vector + 4, high],
  ];
}

/** An entry of the IDT that leads to a label of the case. */
export function putVectorLabel(vector: number, target: number, label: string, access: number): Poke[] {
  return [
    [IDT + 8 * vector, `${target << 16} + (${label} & 0xffff)`],
    [IDT + 8 * vector + 4, `${access << 8} + (${label} & 0xffff0000)`],
  ];
}

export const endOf = (vector: number): number => ENDS + vector * STUB_BYTES;
export const resumeOf = (vector: number): number => RESUMES + vector * STUB_BYTES;

/** Vectors whose event is logged, and then returned from. */
export const putResume = (...vectors: number[]): Poke[] =>
  vectors.flatMap((v) => putVector(v, KCODE, resumeOf(v), ACCESS.int));

/** The address of a descriptor's word with its access byte, for watching. */
export const accessOf = (selector: number): number => slot(selector) + 4;

/** Offsets in a 32-bit TSS. */
export const T = {
  link: 0,
  esp0: 4,
  ss0: 8,
  cr3: 28,
  eip: 32,
  eflags: 36,
  eax: 40,
  esp: 56,
  es: 72,
  cs: 76,
  ss: 80,
  ds: 84,
  fs: 88,
  gs: 92,
  ldt: 96,
  trap: 100,
} as const;
