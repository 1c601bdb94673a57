// From IR to JavaScript: the source of one handler, a function of a decoded operation. Fast paths are inline: registers
// and lazy flags in the state words, page arrays for memory; everything else calls the runtime (runtime.ts).

import { BYTE_INDEX, specOf } from "../isa/decode.ts";
import type { Form } from "../isa/forms.ts";
import type { Addr, Expr, RegRef, Size, Stmt } from "../isa/ir.ts";
import { Sem } from "../isa/sem.ts";
import {
  ECX,
  STATE_AUX,
  STATE_EFLAGS,
  STATE_EIP,
  STATE_LEFT,
  STATE_RESULT,
  STATE_SCRATCH,
  STATE_SEL,
  STATE_SSE,
} from "../state.ts";

const RES = `S[${STATE_RESULT}]`;
const AUX = `S[${STATE_AUX}]`;
const EIP = `S[${STATE_EIP}]`;
const LEFT = `S[${STATE_LEFT}]`;
const FLAGS = `S[${STATE_EFLAGS}]`;

/** Names that handler source may use, in the order in which the engine binds them (see runtime.ts). */
export const BINDINGS = [
  "cpu",
  "H",
  "S",
  "R8",
  "R16",
  "U8",
  "U16",
  "I32",
  "TR",
  "TW",
  "PARITY",
  "rs8",
  "rs16",
  "rs32",
  "ws8",
  "ws16",
  "ws32",
  "rw8",
  "rw16",
  "rw32",
  "cm8",
  "cm16",
  "cm32",
  "lr",
  "lw",
  "pw",
  "fb",
  "enter",
  "leave",
  "fault",
  "bulkMove",
  "bulkFill",
  "K",
  "X",
  "V",
  "vl2",
  "vl4",
  "vl8",
  "vl16",
  "vs2",
  "vs4",
  "vs8",
  "vs16",
] as const;

/** Helpers that look at eip or the instruction count, or reach memory themselves. */
const NEEDS_EXACT = new Set(["x87", "fwait", "enterNested", "maskedStore"]);

/** Index of scratch word in the array of each element size. */
const SCRATCH: Readonly<Record<Size, number>> = { 8: STATE_SCRATCH * 4, 16: STATE_SCRATCH * 2, 32: STATE_SCRATCH };
const ARRAY: Readonly<Record<Size, string>> = { 8: "U8", 16: "U16", 32: "I32" };
const ALIGN: Readonly<Record<Size, number>> = { 8: 1, 16: 1, 32: 3 };
const SHIFT: Readonly<Record<Size, number>> = { 8: 0, 16: 1, 32: 2 };

/** Iterations from which it pays to look for a bulk transfer. */
const BULK_LEAST = 8;

class Emitter {
  readonly form: Form;
  readonly key: number;
  readonly out: string[] = [];
  private readonly spec;
  private readonly rep: boolean;

  constructor(form: Form, key: number) {
    this.form = form;
    this.key = key;
    this.spec = specOf(key);
    this.rep = form.string && this.spec.rep !== 0;
  }

  source(): string {
    const m = new Sem(this.form, this.spec);
    this.form.sem(m);
    if (this.rep) this.repeat(m.stmts);
    else {
      this.body(m.stmts);
      if (this.form.branch) this.out.push(`${EIP}=${EIP}+o.end|0;return 0;`);
    }
    return this.out.join("\n");
  }

  private cut(target: string): string {
    return this.form.size === 16 ? `(${target})&0xffff` : target;
  }

  /** REP: a loop over iterations; 1 is returned when the budget ends it with iterations left. */
  private repeat(stmts: readonly Stmt[]): void {
    const count = this.reg({ fixed: ECX }, this.spec.addr16 ? 16 : 32);
    this.out.push(`if(${count}===0)return 0;`, "for(;;){");
    const bulk = this.bulk();
    if (bulk) this.out.push(`if(${count}>>>0>${BULK_LEAST})${bulk};`);
    this.body(stmts);
    this.out.push(this.setReg({ fixed: ECX }, this.spec.addr16 ? 16 : 32, `${count}-1`));
    const stop = this.form.options.rep === "repcc" ? `||${RES}${this.spec.rep === 3 ? "!==" : "==="}0` : "";
    this.out.push(`if(${count}===0${stop})return 0;`, `if(${LEFT}<=1)return 1;`, `${LEFT}--;`, "}");
  }

  /** A call that does many iterations of MOVS or STOS at once and leaves at least one, when their segments are flat. */
  private bulk(): string {
    const name = this.form.names[0];
    if (this.spec.segmented || this.spec.nonFlat || this.spec.addr16) return "";
    if (name.startsWith("movs")) return `bulkMove(${SHIFT[this.form.size]})`;
    return name.startsWith("stos") ? `bulkFill(${SHIFT[this.form.size]})` : "";
  }

  private body(stmts: readonly Stmt[]): void {
    for (const s of stmts) this.stmt(s);
  }

  private reg(reg: RegRef, size: Size): string {
    if ("slot" in reg)
      return size === 32 ? `S[o.${reg.slot}]` : size === 16 ? `R16[o.${reg.slot}]` : `R8[o.${reg.slot}]`;
    return size === 32 ? `S[${reg.fixed}]` : size === 16 ? `R16[${reg.fixed * 2}]` : `R8[${BYTE_INDEX[reg.fixed]}]`;
  }

  private setReg(reg: RegRef, size: Size, v: string): string {
    return `${this.reg(reg, size)}=${v};`;
  }

  private ea(): string {
    const { ea, addr16 } = this.spec;
    const terms =
      ea === 1
        ? "o.md"
        : ea === 2
          ? "S[o.mb]+o.md"
          : ea === 3
            ? "S[o.mb]+(S[o.mi]<<o.ms)+o.md"
            : "(S[o.mi]<<o.ms)+o.md";
    return addr16 ? `((${terms})&0xffff)` : ea === 1 ? terms : `(${terms}|0)`;
  }

  /** An int32 value. */
  private v(e: Expr): string {
    switch (e.k) {
      case "const":
        return e.v < 0 ? `(${e.v})` : `${e.v}`;
      case "field":
        return e.f === "index" ? "o.b" : `o.${e.f}`;
      case "reg":
        return this.reg(e.reg, e.size);
      case "tmp":
        return `t${e.id}`;
      case "ea":
        return this.ea();
      case "vreg":
        return `o.${e.slot}`;
      case "sel":
        return `S[${STATE_SEL + e.seg}]`;
      case "next":
        return this.form.sync ? EIP : `(${this.cut(`${EIP}+o.end|0`)})`;
      case "target":
        return `(${this.cut(`${EIP}+o.imm2|0`)})`;
      case "flag":
        return this.flag(e.f);
      case "cond":
        return `(${this.condition(e.cc)}?1:0)`;
      case "un": {
        const a = this.v(e.a);
        switch (e.op) {
          case "not":
            return `(~${a})`;
          case "neg":
            return `(-${a}|0)`;
          case "zx8":
            return `(${a}&255)`;
          case "zx16":
            return `(${a}&65535)`;
          case "sx8":
            return `(${a}<<24>>24)`;
          case "sx16":
            return `(${a}<<16>>16)`;
          case "bswap":
            return `H.bswap(${a})`;
          case "ctz":
            return `(31-Math.clz32(${a}&-${a}))`;
          case "clz":
            return `Math.clz32(${a})`;
          default:
            return `(${this.b(e)}?1:0)`;
        }
      }
      case "bin": {
        const infix = { add: "+", sub: "-", and: "&", or: "|", xor: "^", shl: "<<", shr: ">>>", sar: ">>" } as const;
        const a = this.v(e.a);
        const b = this.v(e.b);
        if (e.op === "add" || e.op === "sub") return `(${a}${infix[e.op]}${b}|0)`;
        if (e.op === "shr") return `(${a}>>>${b}|0)`;
        if (e.op in infix) return `(${a}${infix[e.op as keyof typeof infix]}${b})`;
        if (e.op === "mul") return `Math.imul(${a},${b})`;
        if (e.op === "mulhu" || e.op === "mulhs") return `H.${e.op}(${a},${b})`;
        return `(${this.b(e)}?1:0)`;
      }
    }
  }

  /** A JavaScript boolean: is the value not 0? */
  private b(e: Expr): string {
    if (e.k === "cond") return this.condition(e.cc);
    if (e.k === "un" && e.op === "isZero") return `${this.v(e.a)}===0`;
    if (e.k === "bin") {
      const a = () => this.v(e.a);
      const b = () => this.v(e.b);
      switch (e.op) {
        case "eq":
          return `${a()}===${b()}`;
        case "ne":
          return `${a()}!==${b()}`;
        case "ltu":
          return `${a()}>>>0<${b()}>>>0`;
        case "leu":
          return `${a()}>>>0<=${b()}>>>0`;
        case "lts":
          return `${a()}<${b()}`;
        case "les":
          return `${a()}<=${b()}`;
      }
    }
    return `${this.v(e)}!==0`;
  }

  private flag(f: string): string {
    switch (f) {
      case "cf":
        return `(${AUX}>>>31)`;
      case "pf":
        return `PARITY[(${RES}^${AUX}>>8)&255]`;
      case "af":
        return `(${AUX}>>3&1)`;
      case "zf":
        return `(${RES}===0?1:0)`;
      case "sf":
        return `((${RES}^${AUX}<<31)>>>31)`;
      case "of":
        return `((${AUX}^${AUX}<<1)>>>31)`;
      default:
        return `(${FLAGS}>>10&1)`;
    }
  }

  private condition(cc: number): string {
    const positive = [
      `(${AUX}^${AUX}<<1)<0`,
      `${AUX}<0`,
      `${RES}===0`,
      `(${AUX}<0||${RES}===0)`,
      `(${RES}^${AUX}<<31)<0`,
      `PARITY[(${RES}^${AUX}>>8)&255]!==0`,
      `(${RES}^${AUX}<<31^${AUX}^${AUX}<<1)<0`,
      `(${RES}===0||(${RES}^${AUX}<<31^${AUX}^${AUX}<<1)<0)`,
    ][cc >> 1];
    if (!(cc & 1)) return positive;
    if (cc === 5) return `${RES}!==0`;
    if (cc === 3) return `${AUX}>=0`;
    return `!(${positive})`;
  }

  /** Linear address of an access into variable l{id}. */
  private linear(id: number, at: Addr, bytes: number, write: boolean): void {
    const checked = at.seg === "op" ? this.spec.segmented : this.spec.nonFlat;
    const off = this.v(at.off);
    if (!checked) this.out.push(`var l${id}=${off};`);
    else {
      const seg = at.seg === "op" ? "o.seg" : `${at.seg}`;
      this.out.push(`var l${id}=${write ? "lw" : "lr"}(${seg},${off},${bytes});`);
    }
  }

  private serial = 1000;

  private stmt(s: Stmt): void {
    const out = this.out;
    switch (s.k) {
      case "let":
        out.push(`var t${s.id}=${this.v(s.e)};`);
        break;
      case "load": {
        const { id, size } = s;
        this.linear(id, s.at, size >> 3, false);
        const index = size === 8 ? `e${id}+l${id}|0` : `e${id}+l${id}>>${SHIFT[size]}`;
        out.push(
          `var e${id}=TR[l${id}>>>12],t${id}=((e${id}${size === 8 ? "" : `|l${id}`})&${ALIGN[size]})===0?${ARRAY[size]}[${index}]:rs${size}(o,l${id});`,
        );
        break;
      }
      case "store": {
        const id = this.serial++;
        const { size } = s;
        this.linear(id, s.at, size >> 3, true);
        const index = size === 8 ? `e${id}+l${id}|0` : `e${id}+l${id}>>${SHIFT[size]}`;
        out.push(
          `var e${id}=TW[l${id}>>>12],v${id}=${this.v(s.e)};`,
          `if(((e${id}${size === 8 ? "" : `|l${id}`})&${ALIGN[size]})===0)${ARRAY[size]}[${index}]=v${id};else ws${size}(o,l${id},v${id});`,
        );
        break;
      }
      case "linear":
        this.linear(s.id, s.at, s.bytes, s.write);
        out.push(`var t${s.id}=l${s.id};`);
        break;
      case "probeWrite": {
        const id = this.serial++;
        this.linear(id, s.at, s.bytes, true);
        out.push(`pw(o,l${id},${s.bytes});`);
        break;
      }
      case "open": {
        const { id, size } = s;
        this.linear(id, s.at, size >> 3, true);
        const index = size === 8 ? `e${id}+l${id}|0` : `e${id}+l${id}>>${SHIFT[size]}`;
        out.push(
          `var e${id}=TW[l${id}>>>12],h${id}=((e${id}${size === 8 ? "" : `|l${id}`})&${ALIGN[size]})===0?${index}:rw${size}(o,l${id}),t${id}=${ARRAY[size]}[h${id}];`,
        );
        break;
      }
      case "close":
        out.push(`${ARRAY[s.size]}[h${s.id}]=${this.v(s.e)};if(h${s.id}===${SCRATCH[s.size]})cm${s.size}(o,l${s.id});`);
        break;
      case "setReg":
        out.push(this.setReg(s.reg, s.size, this.v(s.e)));
        break;
      case "flagsAdd":
      case "flagsSub": {
        const [a, b, r] = [this.v(s.a), this.v(s.b), this.v(s.r)];
        const carries = s.k === "flagsAdd" ? `(${a}&${b}|(${a}|${b})&~${r})` : `(~${a}&${b}|(~${a}|${b})&${r})`;
        if (s.size === 32) out.push(`${RES}=${r};${AUX}=${carries}&-1073741816;`);
        else {
          const up = 32 - s.size;
          const id = this.serial++;
          out.push(`var c${id}=${carries};${RES}=${r}<<${up}>>${up};${AUX}=c${id}<<${up}&-1073741824|c${id}&8;`);
        }
        break;
      }
      case "flagsInc":
      case "flagsDec": {
        const up = 32 - s.size;
        const inc = s.k === "flagsInc";
        const overflowed = inc ? 0x8000_0000 | 0 : 0x7fff_ffff >> up;
        const r = s.size === 32 ? this.v(s.r) : `${this.v(s.r)}<<${up}>>${up}`;
        const value = inc ? overflowed >> up : overflowed;
        const id = this.serial++;
        out.push(
          `var r${id}=${r},c${id}=${AUX}&-2147483648;${RES}=r${id};`,
          `${AUX}=((c${id}|c${id}>>>1)^(r${id}===${value}?1073741824:0))|((r${id}&15)===${inc ? 0 : 15}?8:0);`,
        );
        break;
      }
      case "flagsResult": {
        const up = 32 - s.size;
        const r = this.v(s.r);
        const parts: string[] = [];
        const zero = (e: Expr) => e.k === "const" && e.v === 0;
        const id = this.serial++;
        if (!zero(s.cf) || !zero(s.of)) {
          out.push(`var c${id}=${this.v(s.cf)};`);
          parts.push(`c${id}<<31`, `(c${id}^${this.v(s.of)})<<30`);
        }
        if (!zero(s.af)) parts.push(`${this.v(s.af)}<<3`);
        out.push(`${AUX}=${parts.length ? parts.join("|") : "0"};${RES}=${up ? `${r}<<${up}>>${up}` : r};`);
        break;
      }
      case "flagsCfOf": {
        const id = this.serial++;
        out.push(`var c${id}=${this.v(s.cf)};${AUX}=${AUX}&1073741823|c${id}<<31|(c${id}^${this.v(s.of)})<<30;`);
        break;
      }
      case "flagCf":
        out.push(`${AUX}^=-(${AUX}>>>31^${this.v(s.v)})&-1073741824;`);
        break;
      case "flagBits":
        out.push(`fb(${s.mask},${this.v(s.v)});`);
        break;
      case "setDf":
        out.push(s.v ? `${FLAGS}|=1024;` : `${FLAGS}&=-1025;`);
        break;
      case "if":
        if (s.yes.length === 0) {
          out.push(`if(!(${this.b(s.c)})){`);
          this.body(s.no);
        } else {
          out.push(`if(${this.b(s.c)}){`);
          this.body(s.yes);
          if (s.no.length) {
            out.push("}else{");
            this.body(s.no);
          }
        }
        out.push("}");
        break;
      case "jump":
        out.push(`${EIP}=${this.v(s.to)};return ${s.direct ? 1 : 2};`);
        break;
      case "call": {
        if (s.fn === "checkSse") {
          out.push(`if(S[${STATE_SSE}]===0)K.checkSse(cpu);`);
          break;
        }
        const args = s.args.map((a) => `,${this.v(a)}`).join("");
        const exact = NEEDS_EXACT.has(s.fn) && !this.form.sync;
        if (exact) out.push("enter(o);");
        out.push(`var t${s.id}=H.${s.fn}(cpu${args});`);
        if (exact) out.push("leave(o);");
        break;
      }
      case "vload": {
        const id = this.serial++;
        const to = this.v(s.to);
        this.linear(id, s.at, s.bytes, false);
        if (s.aligned) out.push(`if(l${id}&15)fault(13,0);`);
        out.push(`vl${s.bytes}(o,l${id},${to});`);
        if (s.wide) for (let i = Math.max(s.bytes >> 2, 1); i < 4; i++) out.push(`I32[(${to}>>2)+${i}]=0;`);
        break;
      }
      case "vstore": {
        const id = this.serial++;
        this.linear(id, s.at, s.bytes, true);
        if (s.aligned) out.push(`if(l${id}&15)fault(13,0);`);
        out.push(`vs${s.bytes}(o,l${id},${this.v(s.from)});`);
        break;
      }
      case "vec":
        out.push(`V["${s.op}"](X,${this.v(s.d)},${this.v(s.s)},${s.bytes},${this.v(s.imm)});`);
        break;
      case "raise":
        out.push(`fault(${s.vector},${this.v(s.code)});`);
        break;
    }
  }
}

/** Body of the handler for one specialisation of a form. */
export function handlerSource(form: Form, key: number): string {
  return new Emitter(form, key).source();
}
