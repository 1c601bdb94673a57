// A machine without a kernel of ours, for images that bring their own: a multiboot loader, a serial port, two debug ports.
import { CS, DS, EAX, EBX, ES, FS, GS, SS } from "../cpu/cpu.ts";
import type { CpuModel } from "../cpu/models.ts";
import { setFlatSegment } from "../cpu/segments.ts";
import type { Tier } from "../cpu/state.ts";
import { Machine, TIMER_IRQ } from "./machine.ts";
import { BOOT_MAGIC, loadMultiboot, readMultiboot, writeInformation } from "./multiboot.ts";
import { PIT8254_PORTS, Pit8254 } from "./pit8254.ts";
import { COM1_PORTS, Serial } from "./serial.ts";

/** Bytes written here appear on standard output. */
export const DEBUG_PORT = 0xe9;
/** A value v written here ends the run with status (v << 1 | 1) & 0xff, as QEMU's isa-debug-exit does. */
export const EXIT_PORT = 0xf4;
/** Keyboard controller: command 0xfe resets the machine. */
const RESET_PORT = 0x64;
const RESET_COMMAND = 0xfe;
/** Status of a run whose machine died. */
const STATUS_DEAD = 124;
const FLUSH_BYTES = 4096;

export interface BareOptions {
  /** The image, and what messages and its command line call it. */
  readonly image: Uint8Array;
  readonly name: string;
  /** What follows the name on its command line. */
  readonly append?: string;
  readonly ramBytes: number;
  readonly cpuModel?: CpuModel;
  readonly tier?: Tier;
  /** Instructions after which the run ends. */
  readonly maxInstructions?: number;
  /** Takes what the image sends to the serial and debug ports. */
  readonly output: (bytes: Uint8Array) => void;
}

export interface BareResult {
  /** What the image wrote to EXIT_PORT, as a status; 124 when the machine died. */
  readonly status: number;
  /** Why the machine died, or null. */
  readonly reason: string | null;
  readonly instructions: number;
}

/** Collects bytes into lines. */
class LineBuffer {
  private readonly bytes = new Uint8Array(FLUSH_BYTES);
  private used = 0;
  private readonly output: (bytes: Uint8Array) => void;

  constructor(output: (bytes: Uint8Array) => void) {
    this.output = output;
  }

  put(byte: number): void {
    this.bytes[this.used++] = byte;
    if (byte === 10 || this.used === FLUSH_BYTES) this.flush();
  }

  flush(): void {
    if (this.used > 0) this.output(this.bytes.slice(0, this.used));
    this.used = 0;
  }
}

/** A machine with the image loaded, at its first instruction, in the state that the Multiboot Specification asks for. */
function boot(options: BareOptions): Machine {
  const machine = new Machine({ ramBytes: options.ramBytes, hz: 100, cpuModel: options.cpuModel, tier: options.tier });
  const { cpu, memory } = machine;
  const image = readMultiboot(options.image, options.name, memory.ramBytes);
  loadMultiboot(memory, image);
  const commandLine = options.append ? `${options.name} ${options.append}` : options.name;
  cpu.r[EBX] = writeInformation(memory, image, commandLine);
  cpu.r[EAX] = BOOT_MAGIC;
  setFlatSegment(cpu, CS, 0x08, 0);
  for (const seg of [ES, SS, DS, FS, GS]) setFlatSegment(cpu, seg, 0x10, 0);
  cpu.eip = image.entry;
  return machine;
}

/**
 * Boot a multiboot image and run it until it ends itself, dies, or reaches its bound.
 * @throws InputError when the image cannot be loaded
 */
export function runBare(options: BareOptions): BareResult {
  const machine = boot(options);
  const { cpu, clock, pic } = machine;
  const lines = new LineBuffer(options.output);
  let status = STATUS_DEAD;
  const nothing = () => 0xff;
  machine.attach(COM1_PORTS, new Serial((byte) => lines.put(byte)));
  machine.attach(PIT8254_PORTS, new Pit8254(clock, () => pic.pulse(TIMER_IRQ)));
  // Reading the debug port gives its number, by which images find out that it is there.
  machine.attach([DEBUG_PORT], { read: () => DEBUG_PORT, write: (_, value) => lines.put(value) });
  machine.attach([EXIT_PORT], {
    read: nothing,
    write: (_, value) => {
      status = ((value << 1) | 1) & 0xff;
      machine.stop();
    },
  });
  machine.attach([RESET_PORT], {
    read: () => 0,
    write: (_, value) => {
      if (value === RESET_COMMAND) machine.die("the image reset the machine");
    },
  });
  machine.instructionLimit = options.maxInstructions ?? Number.POSITIVE_INFINITY;
  machine.run();
  lines.flush();
  return { status, reason: machine.dead, instructions: cpu.icount };
}
