// From the rows of the instruction table to forms: one per operand size, with parsed operands, and the opcode maps
// that the decoder indexes.
import { MIX_CLASSES, type MixClass } from "../state.ts";
import type { Size } from "./ir.ts";
import type { Sem } from "./sem.ts";

/** Where an operand comes from. */
export type OperandAt =
  | "rm" // ModRM.rm: register or memory
  | "reg" // ModRM.reg
  | "opreg" // low bits of the opcode
  | "fixed" // a register named by the opcode
  | "fixedseg"
  | "imm"
  | "imm2"
  | "one"
  | "rel"
  | "far"
  | "moffs"
  | "sreg"
  | "creg"
  | "dreg"
  | "source" // [DS:ESI]
  | "dest"; // [ES:EDI]

/** Registers that an operand may name. */
export type Bank = "general" | "mmx" | "xmm";

export interface OperandKind {
  readonly at: OperandAt;
  readonly bank: Bank;
  /** Letters in the table, such as "Ev". */
  readonly text: string;
  /** Width of what is read or written through get and set. */
  readonly size: Size;
  /** For memory: bytes of the whole operand, for the assembler's size words (0 = any). */
  readonly bytes: number;
  /** Register number when fixed. */
  readonly reg: number;
  /** Immediates: bytes in the encoding, and the width they stand for. */
  readonly encoded: 0 | 1 | 2 | 4;
  readonly of: Size;
  /** rm: may be a register, may be memory. */
  readonly register: boolean;
  readonly memory: boolean;
}

export interface Options {
  /** Mix class before loads and stores are looked at. */
  cls?: MixClass;
  /** LOCK is legal when the destination is memory. */
  lock?: boolean;
  /** Talks to the host or may change segments, privilege, paging or interrupt state: decoded as a block of its own. */
  sync?: boolean;
  /** Loads a segment register: a block is left behind it when that changed the mode. SS, with its shadow, is `sync`. */
  segment?: boolean;
  /** Ends a basic block: a near branch. */
  branch?: boolean;
  /** REP prefixes repeat it: "rep", or "repcc" when they look at ZF. */
  rep?: "rep" | "repcc";
  /** Flags written (a subset of OSZAPC, and D I), and those of them the manual leaves undefined. */
  w?: string;
  u?: string;
  /** Flags read. */
  r?: string;
  /** Has no sized operand but exists for both operand sizes. */
  v?: boolean;
  /** Operand size when neither `v` nor an operand says it. */
  size?: Size;
  /** The lowest register of the opcode is another instruction (XCHG EAX, EAX is NOP). */
  skipFirst?: boolean;
  /** POP to memory: an address based on ESP is taken after the pop. */
  popEa?: boolean;
  /** ModRM.mod is ignored: the operand is a register. */
  anyMod?: boolean;
  /** A second encoding of another row: decoded, never chosen by the assembler. */
  alias?: boolean;
  /** NEEDS_* features of CPUID without which the encoding is #UD. */
  needs?: number;
  /** ModRM.rm must have this value (instructions that use it as an opcode extension). */
  rm?: number;
  /** The vector operation of the row, as in the IR's `vec` (for reports and compilers). */
  vector?: string;
}

export interface Row {
  /** "names for 16/names for 32", or one list for both; comma-separated, the first is what the disassembler prints. */
  readonly names: string;
  /** Opcode bytes in hexadecimal, then /digit; in front "66", "f2" or "f3" when that prefix selects the row, "np" when none may. */
  readonly code: string;
  readonly operands: string;
  readonly sem: (m: Sem) => void;
  readonly options: Options;
}

/** One instruction form at one operand size. */
export interface Form {
  readonly id: number;
  readonly names: readonly string[];
  readonly opcode: readonly number[];
  /** Prefixes select among rows of this opcode; `mandatory` is this one's, 0 for none. */
  readonly exact: boolean;
  readonly mandatory: number;
  /** NEEDS_* features. */
  readonly needs: number;
  /** ModRM.reg when it extends the opcode, else -1. */
  readonly digit: number;
  readonly modrm: boolean;
  readonly operands: readonly OperandKind[];
  readonly size: Size;
  /** Exists at both operand sizes, so 0x66 selects. */
  readonly sized: boolean;
  readonly sem: (m: Sem) => void;
  readonly cls: number;
  readonly options: Options;
  readonly sync: boolean;
  readonly segment: boolean;
  readonly branch: boolean;
  readonly string: boolean;
  /** Bytes of the first immediate, of the relative displacement, of the second immediate. */
  readonly immBytes: number;
  readonly relBytes: number;
  readonly imm2Bytes: number;
  readonly moffs: boolean;
  /** Widths of the registers in slots a and b (0 none). */
  readonly aSize: number;
  readonly bSize: number;
  /** Widest bit operand of slot b that is no general register: segment, control, debug. */
  readonly bIsIndex: boolean;
}

const REGISTER_NAMES: Readonly<Record<string, [number, Size]>> = {
  AL: [0, 8],
  CL: [1, 8],
  AX: [0, 16],
  DX: [2, 16],
};
const SEGMENT_NAMES = ["ES", "CS", "SS", "DS", "FS", "GS"];

function operand(text: string, size: Size, first: boolean): OperandKind {
  const base = {
    text,
    bank: "general" as Bank,
    size,
    bytes: 0,
    reg: 0,
    encoded: 0 as 0 | 1 | 2 | 4,
    of: size,
    register: false,
    memory: false,
  };
  const fixed = REGISTER_NAMES[text];
  if (fixed) return { ...base, at: "fixed", reg: fixed[0], size: fixed[1] };
  if (text === "eAX") return { ...base, at: "fixed", reg: 0 };
  if (text === "1") return { ...base, at: "one" };
  const segment = SEGMENT_NAMES.indexOf(text);
  if (segment >= 0) return { ...base, at: "fixedseg", reg: segment, size: 16 };
  const kind = text[0];
  const width = text.slice(1);
  const sized: Size = width === "b" ? 8 : width === "w" ? 16 : width === "d" ? 32 : size;
  const immediate: OperandAt = first ? "imm" : "imm2";
  switch (kind) {
    case "E":
      return { ...base, at: "rm", size: sized, bytes: sized >> 3, register: true, memory: true };
    case "U":
      return { ...base, at: "rm", size: sized, register: true, memory: true };
    case "R":
      return { ...base, at: "rm", size: sized, register: true };
    case "M": {
      const bytes =
        { b: 1, w: 2, d: 4, q: 8, o: 16, p: (size >> 3) + 2, a: size >> 2, s: 6, "": 0, x: 0 }[width] ?? size >> 3;
      return { ...base, at: "rm", size: sized, bytes, memory: true };
    }
    case "P":
      return { ...base, at: "reg", bank: "mmx", size: 32 };
    case "Q":
      return { ...base, at: "rm", bank: "mmx", size: 32, bytes: VECTOR_BYTES[width], register: true, memory: true };
    case "N":
      return { ...base, at: "rm", bank: "mmx", size: 32, register: true };
    case "V":
      return { ...base, at: "reg", bank: "xmm", size: 32 };
    case "W":
      return { ...base, at: "rm", bank: "xmm", size: 32, bytes: VECTOR_BYTES[width], register: true, memory: true };
    case "H":
      return { ...base, at: "rm", bank: "xmm", size: 32, register: true };
    case "F":
      return { ...base, at: "rm", size: 32, register: true, memory: true };
    case "G":
      return { ...base, at: "reg", size: sized };
    case "Z":
      return { ...base, at: "opreg", size: sized };
    case "I":
      if (width === "bs") return { ...base, at: immediate, encoded: 1 };
      return { ...base, at: immediate, encoded: (sized >> 3) as 1 | 2 | 4, of: sized, size: sized };
    case "J":
      return { ...base, at: "rel", encoded: width === "b" ? 1 : ((size >> 3) as 2 | 4) };
    case "A":
      return { ...base, at: "far", encoded: (size >> 3) as 2 | 4 };
    case "O":
      return { ...base, at: "moffs", size: sized, bytes: sized >> 3, memory: true };
    case "S":
      return { ...base, at: "sreg", size: 16 };
    case "C":
      return { ...base, at: "creg", size: 32 };
    case "D":
      return { ...base, at: "dreg", size: 32 };
    case "X":
      return { ...base, at: "source", size: sized, bytes: sized >> 3 };
    case "Y":
      return { ...base, at: "dest", size: sized, bytes: sized >> 3 };
    default:
      throw new Error(`operand kind ${text} in the instruction table`);
  }
}

const VECTOR_BYTES: Readonly<Record<string, number>> = { w: 2, d: 4, q: 8, o: 16 };
const MANDATORY: Readonly<Record<string, number>> = { np: 0, "66": 0x66, f2: 0xf2, f3: 0xf3 };

/** How register numbers of an operand are kept in a decoded operation: the operand's width, see regIndex. */
function registerWidth(kind: OperandKind | undefined): number {
  if (kind === undefined) return 0;
  return kind.bank === "xmm" ? 128 : kind.bank === "mmx" ? 64 : kind.size;
}

/** Does any operand depend on the operand size? */
const SIZED = /^(?:[EGZIJORMUXY]v|Ibs|eAX|Ap|Mp|Ma|M)$/;

/** Operands of the table by their text, size and place: a few dozen for two thousand forms. */
type Operands = Map<string, OperandKind>;

function operandOf(known: Operands, text: string, size: Size, first: boolean): OperandKind {
  const key = `${text} ${size} ${first}`;
  let kind = known.get(key);
  if (kind === undefined) {
    kind = operand(text, size, first);
    known.set(key, kind);
  }
  return kind;
}

function expand(row: Row, firstId: number, known: Operands): Form[] {
  const words = row.operands === "" ? [] : row.operands.split(" ");
  const sized = row.options.v === true || words.some((w) => SIZED.test(w));
  const isByte = words.some((w) => /^.b$/.test(w)) && !words.some((w) => /^(.[wd]|AX|DX)$/.test(w));
  const sizes: Size[] = sized ? [32, 16] : [row.options.size ?? (isByte ? 8 : 32)];
  const tokens = row.code.split(" ");
  const digit = tokens.at(-1)?.startsWith("/") ? Number(tokens.pop()?.slice(1)) : -1;
  const exact = tokens.length > 1 && tokens[0] in MANDATORY;
  const mandatory = exact ? MANDATORY[tokens.shift() as string] : 0;
  const opcode = tokens.map((t) => Number.parseInt(t, 16));
  return sizes.map((size, n) => {
    const [names16, names32 = names16] = row.names.split("/");
    let immediates = 0;
    const operands = words.map((w) => operandOf(known, w, size, !w.startsWith("I") || immediates++ === 0));
    const modrm = digit >= 0 || operands.some((o) => ["rm", "reg", "sreg", "creg", "dreg"].includes(o.at));
    const find = (at: OperandAt) => operands.find((o) => o.at === at);
    const index = find("sreg") ?? find("creg") ?? find("dreg");
    const far = find("far");
    return {
      id: firstId + n,
      names: (size === 16 ? names16 : names32).split(","),
      opcode,
      exact,
      mandatory,
      needs: row.options.needs ?? 0,
      digit,
      modrm,
      operands,
      size,
      sized,
      sem: row.sem,
      cls: MIX_CLASSES.indexOf(row.options.cls ?? "alu"),
      options: row.options,
      sync: row.options.sync === true,
      segment: row.options.segment === true,
      branch: row.options.branch === true,
      string: row.options.rep !== undefined,
      immBytes: far?.encoded ?? find("imm")?.encoded ?? 0,
      relBytes: find("rel")?.encoded ?? 0,
      imm2Bytes: far ? 2 : (find("imm2")?.encoded ?? 0),
      moffs: find("moffs") !== undefined,
      aSize: registerWidth(find("rm") ?? find("opreg")),
      bSize: registerWidth(find("reg")),
      bIsIndex: index !== undefined,
    };
  });
}

/**
 * What an opcode leads to: without ModRM forms[0]; with it, indexed by ModRM.reg, +8 when mod is 3. Where prefixes select
 * (`exact`), 16 times prefixClass() is added.
 */
export interface OpcodeEntry {
  readonly modrm: boolean;
  exact: boolean;
  readonly forms: (Form | null)[];
  /** Forms that look at ModRM.rm too, by index in `forms` * 8 + rm; `forms` holds one of them. */
  readonly byRm: Map<number, Form>;
}

/** Class of the mandatory prefix: 0 none, 1 66, 2 F3, 3 F2. */
export function prefixClass(mandatory: number): number {
  return mandatory === 0x66 ? 1 : mandatory === 0xf3 ? 2 : mandatory === 0xf2 ? 3 : 0;
}

/** Opcode maps: one byte, 0F, 0F 38, 0F 3A. */
export const MAPS = 4;

export interface InstructionSet {
  readonly forms: readonly Form[];
  /** [operand size 16 ? 1 : 0][opcode map][last opcode byte]. */
  readonly maps: readonly (readonly (readonly (OpcodeEntry | null)[])[])[];
  /** Forms by mnemonic. */
  readonly byName: ReadonlyMap<string, readonly Form[]>;
}

/**
 * Expand the table. Throws when two rows claim the same encoding, so a table that loads has none that overlap; a row
 * whose prefix selects it takes that prefix from a row that says nothing of prefixes (PAUSE from NOP).
 */
export function buildSet(rows: readonly Row[]): InstructionSet {
  const forms: Form[] = [];
  const empty = () => Array.from({ length: MAPS }, (): (OpcodeEntry | null)[] => new Array(256).fill(null));
  const maps = [empty(), empty()];
  const byName = new Map<string, Form[]>();
  const operands: Operands = new Map();
  for (const row of rows) {
    for (const form of expand(row, forms.length, operands)) {
      forms.push(form);
      for (const name of form.names) {
        const list = byName.get(name);
        if (list) list.push(form);
        else byName.set(name, [form]);
      }
    }
  }
  for (const exact of [false, true]) {
    for (const form of forms.filter((f) => f.exact === exact)) {
      if (!form.sized || form.size === 32) enter(maps[0], form);
      if (!form.sized || form.size === 16) enter(maps[1], form);
    }
  }
  return { forms, maps, byName };
}

/** Opcode map and the number of opcode bytes that lead into it. */
function mapOf(opcode: readonly number[]): readonly [number, number] {
  if (opcode[0] !== 0x0f || opcode.length === 1) return [0, 0];
  return opcode[1] === 0x38 ? [2, 2] : opcode[1] === 0x3a ? [3, 2] : [1, 1];
}

/** ModRM.reg, +8 when mod is 3. */
const MODRM_PLACES = Array.from({ length: 16 }, (_, i) => i);

function enter(maps: (OpcodeEntry | null)[][], form: Form): void {
  const [number, lead] = mapOf(form.opcode);
  const map = maps[number];
  const opcode = form.opcode[lead];
  const span = form.operands.some((o) => o.at === "opreg") ? 8 : 1;
  const classes = form.exact ? [prefixClass(form.mandatory)] : [0, 1, 2, 3];
  const places = form.modrm ? MODRM_PLACES.filter((i) => accepts(form, i)) : [0];
  for (let n = form.options.skipFirst === true ? 1 : 0; n < span; n++) {
    let entry = map[opcode + n];
    if (entry === null) {
      entry = { modrm: form.modrm, exact: false, forms: new Array(4 * 16).fill(null), byRm: new Map() };
      map[opcode + n] = entry;
    }
    if (entry.modrm !== form.modrm) throw new Error(`opcode ${opcode.toString(16)}: ModRM or not?`);
    if (form.exact) entry.exact = true;
    for (const cls of classes) for (const i of places) claim(entry, 16 * cls + i, form);
  }
}

/** Does a form with ModRM take a byte with this ModRM.reg (+8: mod is 3)? */
function accepts(form: Form, i: number): boolean {
  if (form.digit >= 0 && (i & 7) !== form.digit) return false;
  const rm = form.operands.find((o) => o.at === "rm");
  if (rm) return form.options.anyMod === true || (i < 8 ? rm.memory : rm.register);
  return i >= 8 || form.digit < 0;
}

function claim(entry: OpcodeEntry, i: number, form: Form): void {
  const known = entry.forms[i];
  const { rm } = form.options;
  if (rm !== undefined && (known === null || known.options.rm !== undefined) && !entry.byRm.has(8 * i + rm)) {
    entry.byRm.set(8 * i + rm, form);
  } else if (known !== null && !(form.exact && !known.exact)) {
    throw new Error(`${form.names[0]} and ${known.names[0]} overlap`);
  }
  entry.forms[i] = form;
}
