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

export interface OperandKind {
  readonly at: OperandAt;
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
  /** A second encoding of another row: decoded, never chosen by the assembler. */
  alias?: boolean;
}

export interface Row {
  /** "names for 16/names for 32", or one list for both; comma-separated, the first is what the disassembler prints. */
  readonly names: string;
  /** Opcode bytes in hexadecimal, then /digit. */
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
      const bytes = { b: 1, w: 2, d: 4, q: 8, p: (size >> 3) + 2, a: size >> 2, s: 6, "": 0, x: 0 }[width] ?? size >> 3;
      return { ...base, at: "rm", size: sized, bytes, memory: true };
    }
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

/** Does any operand depend on the operand size? */
const SIZED = /^(?:[EGZIJORMUXY]v|Ibs|eAX|Ap|Mp|Ma|M)$/;

function expand(row: Row, firstId: number): Form[] {
  const words = row.operands === "" ? [] : row.operands.split(" ");
  const sized = row.options.v === true || words.some((w) => SIZED.test(w));
  const isByte = words.some((w) => /^.b$/.test(w)) && !words.some((w) => /^(.[wd]|AX|DX)$/.test(w));
  const sizes: Size[] = sized ? [32, 16] : [row.options.size ?? (isByte ? 8 : 32)];
  const tokens = row.code.split(" ");
  const digit = tokens.at(-1)?.startsWith("/") ? Number(tokens.pop()?.slice(1)) : -1;
  const opcode = tokens.map((t) => Number.parseInt(t, 16));
  return sizes.map((size, n) => {
    const [names16, names32 = names16] = row.names.split("/");
    let immediates = 0;
    const operands = words.map((w) => operand(w, size, !w.startsWith("I") || immediates++ === 0));
    const modrm = digit >= 0 || operands.some((o) => ["rm", "reg", "sreg", "creg", "dreg"].includes(o.at));
    const find = (at: OperandAt) => operands.find((o) => o.at === at);
    const index = find("sreg") ?? find("creg") ?? find("dreg");
    const far = find("far");
    return {
      id: firstId + n,
      names: (size === 16 ? names16 : names32).split(","),
      opcode,
      digit,
      modrm,
      operands,
      size,
      sized,
      sem: row.sem,
      cls: MIX_CLASSES.indexOf(row.options.cls ?? "alu"),
      options: row.options,
      sync: row.options.sync === true,
      branch: row.options.branch === true,
      string: row.options.rep !== undefined,
      immBytes: far?.encoded ?? find("imm")?.encoded ?? 0,
      relBytes: find("rel")?.encoded ?? 0,
      imm2Bytes: far ? 2 : (find("imm2")?.encoded ?? 0),
      moffs: find("moffs") !== undefined,
      aSize: (find("rm") ?? find("opreg"))?.size ?? 0,
      bSize: find("reg")?.size ?? 0,
      bIsIndex: index !== undefined,
    };
  });
}

/** What an opcode leads to: without ModRM forms[0]; with it, indexed by ModRM.reg, +8 when mod is 3. */
export interface OpcodeEntry {
  readonly modrm: boolean;
  readonly forms: (Form | null)[];
}

export interface InstructionSet {
  readonly forms: readonly Form[];
  /** [operand size 16 ? 1 : 0][two-byte map ? 1 : 0][opcode]. */
  readonly maps: readonly (readonly (readonly (OpcodeEntry | null)[])[])[];
  /** Forms by mnemonic. */
  readonly byName: ReadonlyMap<string, readonly Form[]>;
}

/**
 * Expand the table. Throws when two rows claim the same encoding, so a table that loads has none that overlap.
 */
export function buildSet(rows: readonly Row[]): InstructionSet {
  const forms: Form[] = [];
  const empty = (): (OpcodeEntry | null)[] => new Array(256).fill(null);
  const maps = [
    [empty(), empty()],
    [empty(), empty()],
  ];
  const byName = new Map<string, Form[]>();
  for (const row of rows) {
    for (const form of expand(row, forms.length)) {
      forms.push(form);
      for (const name of form.names) {
        const list = byName.get(name);
        if (list) list.push(form);
        else byName.set(name, [form]);
      }
      if (!form.sized || form.size === 32) enter(maps[0], form);
      if (!form.sized || form.size === 16) enter(maps[1], form);
    }
  }
  return { forms, maps, byName };
}

function enter(maps: (OpcodeEntry | null)[][], form: Form): void {
  const two = form.opcode[0] === 0x0f && form.opcode.length > 1;
  const map = maps[two ? 1 : 0];
  const opcode = form.opcode[two ? 1 : 0];
  const exactModrm = form.opcode[two ? 2 : 1];
  const span = form.operands.some((o) => o.at === "opreg") ? 8 : 1;
  for (let n = form.options.skipFirst === true ? 1 : 0; n < span; n++) {
    let entry = map[opcode + n];
    if (entry === null) {
      entry = { modrm: form.modrm, forms: new Array(form.modrm ? 16 : 1).fill(null) };
      map[opcode + n] = entry;
    }
    if (entry.modrm !== form.modrm) throw new Error(`opcode ${opcode.toString(16)}: ModRM or not?`);
    const rm = form.operands.find((o) => o.at === "rm");
    for (let i = 0; i < entry.forms.length; i++) {
      if (form.digit >= 0 && (i & 7) !== form.digit) continue;
      if (form.modrm && rm && !(i < 8 ? rm.memory : rm.register)) continue;
      if (form.modrm && !rm && exactModrm === undefined && i < 8 && form.digit >= 0) continue;
      if (entry.forms[i] !== null) throw new Error(`${form.names[0]} and ${entry.forms[i]?.names[0]} overlap`);
      entry.forms[i] = form;
    }
  }
}
