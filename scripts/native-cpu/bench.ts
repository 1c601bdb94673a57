// A small ring-3 world in which the emulator executes the cases that scripts/native-cpu recorded on a real processor:
// the same addresses, flat segments, and handlers that halt, so that a fault shows its vector, error code and frame.

import { Cpu, CS, DS, ES, FS, GS, SS } from "../../src/emu/cpu/cpu.ts";
import { fnsave, frstor } from "../../src/emu/cpu/fpu/save.ts";
import { CR0_ET, CR0_NE, CR0_PE, CR0_PG, CR0_WP } from "../../src/emu/cpu/mmu.ts";
import { setFlatSegment } from "../../src/emu/cpu/segments.ts";
import { Memory, RAM_BASE } from "../../src/emu/machine/memory.ts";
import {
  CODE,
  CODE_BYTES,
  DATA,
  type Inputs,
  type Kind,
  type Outputs,
  READ_ONLY,
  SIGNAL_TRAP,
  WINDOW,
  WINDOW_BYTES,
} from "./cases.ts";
import { silentHost } from "./silent-host.ts";

/** The bench's kernel: linear address of physical address 0. */
const KERNEL = 0xc000_0000;
const DIRECTORY = 0x1000;
const LOW_TABLE = 0x2000;
const CODE_TABLE = 0x3000;
const DATA_TABLE = 0x4000;
const GDT = 0x5000;
const IDT = 0x6000;
const TSS = 0x7000;
const HANDLERS = 0x8000;
const STACK_TOP = 0xa000;
const CODE_FRAME = 0x1_0000;
const DATA_FRAME = 0x1_1000;
const READ_ONLY_FRAME = 0x1_3000;
const SCRATCH = 0x2_0000;

const KERNEL_CS = 0x08;
const KERNEL_SS = 0x10;
const USER_CS = 0x23;
const USER_SS = 0x2b;
const SIGNALS = new Map([
  [0, 8],
  [6, 4],
  [13, 11],
  [14, 11],
  [12, 7],
  [11, 7],
  [16, 8],
  [5, 11],
  [4, 11],
  [3, 5],
  [1, 5],
  [17, 7],
]);

/** One processor, reused for every case. */
export class NativeBench {
  readonly memory = new Memory(0x10_0000);
  readonly cpu = new Cpu(this.memory, silentHost);

  constructor() {
    const put = (pa: number, value: number) => this.memory.writePhys32(pa, value);
    put(DIRECTORY + (KERNEL >>> 22) * 4, LOW_TABLE | 3);
    put(DIRECTORY + (CODE >>> 22) * 4, CODE_TABLE | 7);
    put(DIRECTORY + (DATA >>> 22) * 4, DATA_TABLE | 7);
    for (let page = 0; page < 256; page++) put(LOW_TABLE + 4 * page, (page << 12) | 3);
    put(CODE_TABLE, CODE_FRAME | 7);
    put(DATA_TABLE, DATA_FRAME | 7);
    put(DATA_TABLE + 4, (DATA_FRAME + 0x1000) | 7);
    put(DATA_TABLE + 4 * ((READ_ONLY - DATA) >>> 12), READ_ONLY_FRAME | 5);
    const descriptor = (selector: number, high: number) => {
      put(GDT + (selector & ~7), 0xffff);
      put(GDT + (selector & ~7) + 4, high);
    };
    descriptor(KERNEL_CS, 0x00cf9b00);
    descriptor(KERNEL_SS, 0x00cf9300);
    descriptor(USER_CS, 0x00cffb00);
    descriptor(USER_SS, 0x00cff300);
    for (let vector = 0; vector < 32; vector++) {
      const handler = HANDLERS + 16 * vector;
      put(IDT + 8 * vector, (KERNEL_CS << 16) | handler);
      put(IDT + 8 * vector + 4, (KERNEL & 0xffff_0000) | (vector === 3 || vector === 4 ? 0xee00 : 0x8e00));
      // HLT at every handler.
      put(handler, 0xf4f4_f4f4);
    }
    put(TSS + 4, KERNEL + STACK_TOP);
    put(TSS + 8, KERNEL_SS);
    for (let i = 0; i < 4096; i++) this.memory.u8[RAM_BASE + READ_ONLY_FRAME + i] = i * 37;
  }

  /** Put the processor at the case's instruction. */
  load(code: Uint8Array, inputs: Inputs, kind: Kind): void {
    const cpu = this.cpu;
    const u8 = this.memory.u8;
    cpu.memory.dropEntries(true);
    cpu.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    cpu.cr3 = DIRECTORY;
    cpu.gdtBase = KERNEL + GDT;
    cpu.gdtLimit = 0xff;
    cpu.idtBase = KERNEL + IDT;
    cpu.idtLimit = 0xff;
    cpu.trBase = KERNEL + TSS;
    cpu.trLimit = 103;
    cpu.trAttr = 0x8b;
    cpu.halted = false;
    cpu.shutdown = null;
    cpu.pendingDebug = 0;
    cpu.dr[6] = 0xffff_0ff0;
    cpu.cpl = 3;
    setFlatSegment(cpu, CS, USER_CS, 3);
    for (const seg of [SS, DS, ES]) setFlatSegment(cpu, seg, USER_SS, 3);
    for (const seg of [FS, GS]) {
      cpu.sel[seg] = 0;
      cpu.attr[seg] = 0;
    }
    const frame = CODE_FRAME >>> 12;
    cpu.invalidateFrame(frame);
    u8.fill(0xcc, RAM_BASE + CODE_FRAME, RAM_BASE + CODE_FRAME + 2 * CODE_BYTES);
    u8.set(code, RAM_BASE + CODE_FRAME);
    u8.set(inputs.window, RAM_BASE + DATA_FRAME + (WINDOW - DATA));
    for (let i = 0; i < 8; i++) cpu.r[i] = inputs.regs[i];
    cpu.setEflags(inputs.eflags);
    cpu.eip = CODE;
    cpu.fpu.init();
    if (kind === "x87") {
      u8.set(inputs.fpu, RAM_BASE + SCRATCH);
      this.asKernel(() => frstor(cpu, KERNEL + SCRATCH, 32));
    }
  }

  private asKernel(act: () => void): void {
    const cpl = this.cpu.cpl;
    this.cpu.cpl = 0;
    act();
    this.cpu.cpl = cpl;
  }

  /** Execute one instruction by `step` and say what it did, as runner.c would. */
  outputs(step: (cpu: Cpu) => void, kind: Kind): Outputs {
    const cpu = this.cpu;
    const u8 = this.memory.u8;
    step(cpu);
    let event = { signal: SIGNAL_TRAP, trap: 1, error: 0, cr2: 0 };
    let regs = new Uint32Array(8);
    for (let i = 0; i < 8; i++) regs[i] = cpu.r[i];
    let eip = cpu.eip >>> 0;
    let eflags = cpu.getEflags();
    if (cpu.shutdown !== null) event = { signal: 99, trap: 99, error: 0, cr2: 0 };
    else if (cpu.cpl === 0) {
      const vector = (eip - KERNEL - HANDLERS) >>> 4;
      const hasCode = vector === 8 || (vector >= 10 && vector <= 14) || vector === 17;
      const word = (n: number) => this.memory.readPhys32((cpu.r[4] >>> 0) - KERNEL + 4 * n);
      const error = hasCode ? word(0) : 0;
      const frame = hasCode ? 1 : 0;
      eip = word(frame);
      eflags = word(frame + 2);
      regs = regs.slice();
      regs[4] = word(frame + 3);
      event = { signal: SIGNALS.get(vector) ?? 11, trap: vector, error, cr2: vector === 14 ? cpu.cr2 >>> 0 : 0 };
    }
    let fpu = new Uint8Array(108);
    if (kind === "x87") {
      this.asKernel(() => fnsave(cpu, KERNEL + SCRATCH, 32));
      fpu = u8.slice(RAM_BASE + SCRATCH, RAM_BASE + SCRATCH + 108);
    }
    const at = RAM_BASE + DATA_FRAME + (WINDOW - DATA);
    return { ...event, regs, eip, eflags, window: u8.slice(at, at + WINDOW_BYTES), fpu };
  }
}
