// The program around the cases: before each it makes tables, stacks and pages as new, applies the case's own words, and
// jumps to its code; every interrupt and exception ends in a stub that writes one line to COM1. And the builder of images.
import { assemble } from "../../../src/emu/cpu/asm/assemble.ts";
import * as at from "./layout.ts";
import { ACCESS, type Poke } from "./layout.ts";

/** One check: words to write first, code in ring 0, then the code under test in its ring. */
export interface Case {
  /** Unique; how logs and lists call it. */
  readonly name: string;
  readonly pokes?: readonly Poke[];
  /** Runs in ring 0 before the rest. */
  readonly setup?: string;
  readonly ring?: 0 | 1 | 2 | 3;
  /** EFLAGS with which the code begins (by IRET); in ring 0 without flags it just follows the setup. */
  readonly flags?: number;
  /** Label `t` is its first instruction; INT 0xff behind it says that nothing happened. */
  readonly code: string;
  /** Addresses of words that each line shows. */
  readonly watch?: readonly number[];
}

const ERROR_CODES = new Set([8, 10, 11, 12, 13, 14, 17]);
/** Words of the stack that a line shows, from ESP upwards. */
export const STACK_WORDS = 12;
/** Lines after which a case ends. */
const MOST_EVENTS = 24;

const SYMBOLS: Record<string, number> = Object.fromEntries(
  Object.entries(at).flatMap(([name, value]): [string, number][] => (typeof value === "number" ? [[name, value]] : [])),
);

function stubs(end: boolean): string {
  return Array.from({ length: 256 }, (_, v) => {
    const common = end ? "end_common" : ERROR_CODES.has(v) ? "resume_error" : "resume_plain";
    return `db 0x68\n dd ${v}\n db 0xe9\n dd ${common} - $ - 4`;
  }).join("\n");
}

// Offsets from the saved GS upwards.
const SAVED = { gs: 0, fs: 4, es: 8, ds: 12, edi: 16, esi: 20, ebp: 24, ebx: 32, edx: 36, ecx: 40, eax: 44 } as const;
const SAVED_FLAGS = 48;
const SAVED_VECTOR = 52;
const FRAME = 56;

const print = (...values: string[]) => values.map((v) => `mov eax, ${v}\n call hex`).join("\n");
const printSaved = (...names: (keyof typeof SAVED)[]) => print(...names.map((name) => `[esi + ${SAVED[name]}]`));
const printSavedWord = (...names: (keyof typeof SAVED)[]) =>
  names.map((name) => `movzx eax, word [esi + ${SAVED[name]}]\n call hex`).join("\n");

const HARNESS = `
header: dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), header, header, 0, 0, start
start:  mov esp, HARNESS_STACK
        mov dword [cursor], CASES
next:   cld
        mov eax, 0x31
        mov cr0, eax
        xor eax, eax
        mov cr3, eax
        mov cr4, eax
        mov cr2, eax
        mov dr0, eax
        mov dr1, eax
        mov dr2, eax
        mov dr3, eax
        mov eax, 0x400
        mov dr7, eax
        mov eax, 0xffff0ff0
        mov dr6, eax
        xor eax, eax
        xor edx, edx
        mov ecx, 0x174
        wrmsr
        inc ecx
        wrmsr
        inc ecx
        wrmsr
        mov al, 0x11
        out 0x20, al
        out 0xa0, al
        mov al, 0x20
        out 0x21, al
        mov al, 0x28
        out 0xa1, al
        mov al, 4
        out 0x21, al
        mov al, 2
        out 0xa1, al
        mov al, 1
        out 0x21, al
        out 0xa1, al
        mov al, 0xff
        out 0x21, al
        out 0xa1, al
        mov esi, PRISTINE
        mov edi, WORK
        mov ecx, ${(at.WORK_END - at.WORK) / 4}
        rep movsd
        mov esi, [cursor]
        lodsd
        cmp eax, -1
        je done
        mov [number], eax
        lodsd
        mov ecx, eax
        jecxz .poked
.poke:  lodsd
        mov edx, eax
        lodsd
        mov [edx], eax
        loop .poke
.poked: lodsd
        mov [watches], eax
        mov [watched], esi
        lea esi, [esi + 4 * eax]
        lodsd
        mov ecx, eax
        mov edi, CODE
        rep movsd
        mov [cursor], esi
        mov dword [events], ${MOST_EVENTS}
        lgdt [GDTR]
        lidt [IDTR]
        jmp KCODE:.flat
.flat:  mov eax, KDATA
        mov ss, ax
        mov eax, UDATA
        mov ds, ax
        mov es, ax
        xor eax, eax
        mov fs, ax
        mov gs, ax
        lldt [START_LDT]
        ltr [START_TR]
        mov eax, PD
        mov cr3, eax
        mov eax, [START_CR4]
        mov cr4, eax
        mov eax, [START_CR0]
        mov cr0, eax
        mov esp, STACK
        push 2
        popfd
        mov eax, 0xaaaa0001
        mov ecx, 0xcccc0002
        mov edx, 0xdddd0003
        mov ebx, 0xbbbb0004
        mov ebp, 0xeeee0005
        mov esi, 0x51510006
        mov edi, 0xd1d10007
        jmp CODE
done:   mov al, 'Z'
        call putc
        mov al, 10
        call putc
        mov al, 0
        out 0xf4, al
        cli
        hlt

putc:   push edx
        push eax
        mov edx, 0x3fd
.wait:  in al, dx
        test al, 0x20
        jz .wait
        pop eax
        mov edx, 0x3f8
        out dx, al
        pop edx
        ret

; EAX in hexadecimal without leading zeros, and a blank.
hex:    push ecx
        push edx
        mov edx, eax
        mov ecx, 8
.skip:  cmp ecx, 1
        je .digit
        test edx, 0xf0000000
        jnz .digit
        shl edx, 4
        dec ecx
        jmp .skip
.digit: rol edx, 4
        mov eax, edx
        and eax, 15
        cmp al, 10
        jb .number
        add al, 'a' - '0' - 10
.number: add al, '0'
        call putc
        dec ecx
        jnz .digit
        mov al, ' '
        call putc
        pop edx
        pop ecx
        ret

; BL: the line's first letter. On the stack: return address, saved registers, vector, frame.
log:    lea edi, [esp + 4 + ${FRAME}]
        mov esi, esp
        mov ecx, ss
        lar ecx, ecx
        test ecx, 0x400000
        jnz .wide
        movzx esi, si
.wide:  add esi, 4
        mov ecx, ss
        mov edx, GDT
        test cl, 4
        jz .gdt
        mov edx, LDT
.gdt:   and ecx, 0xfff8
        add edx, ecx
        mov eax, [edx + 2]
        and eax, 0xffffff
        movzx ecx, byte [edx + 7]
        shl ecx, 24
        or eax, ecx
        add esi, eax
        mov al, bl
        call putc
        ${print("[number]", `[esi + ${SAVED_VECTOR}]`)}
        mov eax, cs
        call hex
        mov eax, ss
        call hex
        ${print("edi", `[esi + ${SAVED_FLAGS}]`)}
        mov ecx, 0
.words: mov eax, [esi + ${FRAME} + 4 * ecx]
        call hex
        inc ecx
        cmp ecx, ${STACK_WORDS}
        jb .words
        ${printSavedWord("ds", "es", "fs", "gs")}
        ${printSaved("eax", "ecx", "edx", "ebx", "ebp", "esi", "edi")}
        ${print("cr0", "cr2", "cr3", "cr4", "dr6", "dr7")}
        xor eax, eax
        str ax
        call hex
        xor eax, eax
        sldt ax
        call hex
        mov esi, [watched]
        mov ecx, [watches]
        jecxz .line
.watch: lodsd
        mov eax, [eax]
        call hex
        loop .watch
.line:  mov al, 10
        call putc
        ret

${["end_common", "resume_plain", "resume_error"]
  .map(
    (name) => `
${name}: pushfd
        pushad
        push ds
        push es
        push fs
        push gs
        cld
        mov eax, KDATA
        mov ds, ax
        mov es, ax
        mov bl, ${name === "end_common" ? "'E'" : "'R'"}
        call log
        ${
          name === "end_common"
            ? "jmp KCODE:finish"
            : `dec dword [events]
        js .enough
        pop gs
        pop fs
        pop es
        pop ds
        popad
        add esp, ${name === "resume_error" ? 12 : 8}
        iretd
.enough: jmp KCODE:finish`
        }`,
  )
  .join("\n")}
finish: mov eax, KDATA
        mov ss, ax
        mov esp, HARNESS_STACK
        jmp next
        align 4
cursor: dd 0
number: dd 0
watches: dd 0
watched: dd 0
events: dd 0
        times ENDS - $ db 0
        ${stubs(true)}
        times RESUMES - $ db 0
        ${stubs(false)}
`;

/** What the pages from WORK hold when a case begins. */
function pristine(): Uint8Array {
  const bytes = new Uint8Array(at.WORK_END - at.WORK);
  const view = new DataView(bytes.buffer);
  const put = (address: number, value: number) => view.setUint32(address - at.WORK, value, true);
  const all = (pokes: readonly Poke[]) => {
    for (const [address, value] of pokes) put(address, Number(value));
  };
  // Present, writable, user, accessed, dirty.
  put(at.PD, at.PT0 | 0x27);
  put(at.PD + 4, at.PT1 | 0x27);
  for (let page = 0; page < 1024; page++) put(at.PT0 + 4 * page, (page << 12) | 0x67);
  put(at.PT1, at.DATA | 7);
  put(at.PT1 + 4, at.DATA1 | 7);
  const accessed = 1;
  for (const [code, data] of [
    [at.KCODE, at.KDATA],
    [at.CODE1, at.DATASEG1],
    [at.CODE2, at.DATASEG2],
    [at.UCODE, at.UDATA],
  ]) {
    const dpl = (code & 3) << 5;
    all(at.putFlat(code, ACCESS.codeXR | dpl | accessed));
    all(at.putFlat(data, ACCESS.dataRW | dpl | accessed));
  }
  for (const [selector, base] of [
    [at.SEL_TSSA, at.TSSA],
    [at.SEL_TSSB, at.TSSB],
    [at.SEL_TSSC, at.TSSC],
    [at.SEL_TSSD, at.TSSD],
  ]) {
    all(at.putSegment(selector, base, 0x67, ACCESS.tss, 0));
  }
  all(at.putSegment(at.SEL_TSS16A, at.TSS16A, 0x2b, ACCESS.tss16, 0));
  all(at.putSegment(at.SEL_TSS16B, at.TSS16B, 0x2b, ACCESS.tss16, 0));
  all(at.putSegment(at.SEL_LDT, at.LDT, at.LDT_LIMIT, ACCESS.ldt, 0));
  all(at.putSegment(at.KLOW, at.BASE, 0xf_ffff, ACCESS.codeXR | accessed, at.SMALL32));
  all(at.putSegment(at.KCODE16, at.CODE, 0xffff, ACCESS.codeXR | accessed, 0));
  all(at.putSegment(at.UCODE16, at.CODE, 0xffff, ACCESS.codeXR | accessed | 0x60, 0));
  all(at.putFlat(at.CONFORMING, ACCESS.confXR | accessed));
  all(at.putSegment(at.KSTACK16, at.WORK, 0xffff, ACCESS.dataRW | accessed, 0));
  all(at.putSegment(at.USTACK16, at.WORK, 0xffff, ACCESS.dataRW | accessed | 0x60, 0));
  for (const [tss, eip, esp] of [
    [at.TSSA, 0, 0],
    [at.TSSB, at.TARGET, at.STACKB],
    [at.TSSC, at.TARGET, at.STACKB],
    [at.TSSD, at.TARGET, at.STACKD],
  ]) {
    for (const [ring, top, ss] of [
      [0, at.STACK0, at.KDATA],
      [1, at.STACK1, at.DATASEG1],
      [2, at.STACK2, at.DATASEG2],
    ]) {
      put(tss + at.T.esp0 + 8 * ring, top);
      put(tss + at.T.ss0 + 8 * ring, ss);
    }
    put(tss + at.T.cr3, at.PD);
    put(tss + at.T.eip, eip);
    put(tss + at.T.eflags, 2);
    put(tss + at.T.esp, esp);
    for (const seg of [at.T.es, at.T.ss, at.T.ds]) put(tss + seg, at.KDATA);
    put(tss + at.T.cs, at.KCODE);
    put(tss + at.T.trap, 0x68 << 16);
  }
  for (let v = 0; v < 256; v++) {
    all(at.putVector(v, at.KCODE, at.endOf(v), v < 0x30 ? ACCESS.int : ACCESS.int | 0x60));
  }
  all(at.putVector(0xfe, at.KCODE, at.resumeOf(0xfe), ACCESS.int | 0x60));
  put(at.GDTR, ((at.GDT & 0xffff) << 16) | at.GDT_LIMIT);
  put(at.GDTR + 4, at.GDT >>> 16);
  put(at.IDTR, ((at.IDT & 0xffff) << 16) | 0x7ff);
  put(at.IDTR + 4, at.IDT >>> 16);
  put(at.START_CR0, 0x8001_0031);
  put(at.START_CR4, 0);
  put(at.START_LDT, at.SEL_LDT);
  put(at.START_TR, at.SEL_TSSA);
  put(at.TARGET, 0xffcd);
  return bytes;
}

const RING_CODE = [at.KCODE, at.CODE1, at.CODE2, at.UCODE];
const RING_DATA = [at.KDATA, at.DATASEG1, at.DATASEG2, at.UDATA];
const RING_STACK = [at.STACK, at.STACK1, at.STACK2, at.STACK3];

function enter(ring: number, flags: number | undefined): string {
  if (ring === 0 && flags === undefined) return "";
  const outer = ring === 0 ? "" : `push ${RING_DATA[ring]}\n push ${RING_STACK[ring]}\n`;
  return `${outer} push ${(flags ?? 0) | 2}\n push ${RING_CODE[ring]}\n push t\n iretd`;
}

const records = new WeakMap<Case, readonly number[]>();

/** A case as the harness reads it, without its number: words to write, words to watch, code. */
function record(c: Case): readonly number[] {
  const known = records.get(c);
  if (known !== undefined) return known;
  const pokes = c.pokes ?? [];
  const texts = pokes.flatMap(([, v], i) => (typeof v === "string" ? [`poke_${i} equ ${v}`] : []));
  const source = `${c.setup ?? ""}\n${enter(c.ring ?? 0, c.flags)}\nt: ${c.code}\n int 0xff\n align 4\n${texts.join("\n")}`;
  let made: ReturnType<typeof assemble>;
  try {
    made = assemble(source, { origin: at.CODE, symbols: SYMBOLS });
  } catch (error) {
    throw new Error(`case ${c.name}: ${error instanceof Error ? error.message : String(error)}\n${source}`);
  }
  const { bytes, symbols } = made;
  if (bytes.length > at.TARGET - at.CODE) throw new Error(`case ${c.name}: ${bytes.length} bytes of code`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length & ~3);
  const watch = c.watch ?? [];
  const words = [
    pokes.length,
    ...pokes.flatMap(([address, v], i) => [address, typeof v === "string" ? symbols[`poke_${i}`] : v]),
    watch.length,
    ...watch,
    view.byteLength / 4,
    ...Array.from({ length: view.byteLength / 4 }, (_, i) => view.getUint32(4 * i, true)),
  ];
  records.set(c, words);
  return words;
}

let assembled: Uint8Array | undefined;

/**
 * A multiboot image that runs cases one after the other.
 * @param from number of the first; its line says that number plus its place
 */
export function buildImage(cases: readonly Case[], from: number): Uint8Array {
  assembled ??= assemble(HARNESS, { origin: at.BASE, symbols: SYMBOLS }).bytes;
  const words = cases.slice(from).flatMap((c, i) => [from + i, ...record(c)]);
  words.push(0xffff_ffff);
  const image = new Uint8Array(at.CASES - at.BASE + 4 * words.length);
  image.set(assembled, 0);
  image.set(pristine(), at.PRISTINE - at.BASE);
  const view = new DataView(image.buffer);
  for (const [i, word] of words.entries()) view.setUint32(at.CASES - at.BASE + 4 * i, word >>> 0, true);
  return image;
}
