// The 8259A interrupt controller pair of a PC: master at ports 20/21, slave at A0/A1 on the master's line 2.
// Fully nested mode, edge triggered, normal or automatic end of interrupt (Intel 8259A data sheet).

const EOI = 0x20;
const SPECIFIC = 0x40;

/** One 8259A. */
class Controller {
  /** Requests, in service, masked: one bit a line. */
  irr = 0;
  isr = 0;
  imr = 0xff;
  /** Vector of line 0. */
  base = 0;
  private icw = 0;
  private needsIcw4 = false;
  private autoEoi = false;
  private readIsr = false;

  /** The unmasked request that beats everything in service, or -1. */
  request(): number {
    const wanting = this.irr & ~this.imr;
    if (wanting === 0) return -1;
    const line = lowest(wanting);
    return this.isr !== 0 && lowest(this.isr) <= line ? -1 : line;
  }

  /** First and second INTA pulse: the line goes into service. -1: nothing was requested (spurious). */
  acknowledge(): number {
    const line = this.request();
    if (line < 0) return -1;
    this.irr &= ~(1 << line);
    if (!this.autoEoi) this.isr |= 1 << line;
    return line;
  }

  write(address: 0 | 1, value: number): void {
    if (address === 1) this.writeData(value);
    else if (value & 0x10) this.beginInit(value);
    else if (value & 0x08) this.writeOcw3(value);
    else this.writeOcw2(value);
  }

  read(address: 0 | 1): number {
    if (address === 1) return this.imr;
    return this.readIsr ? this.isr : this.irr;
  }

  private beginInit(value: number): void {
    this.irr = 0;
    this.isr = 0;
    this.imr = 0;
    this.readIsr = false;
    this.autoEoi = false;
    this.icw = 2;
    this.needsIcw4 = (value & 1) !== 0;
  }

  private writeData(value: number): void {
    if (this.icw === 2) {
      this.base = value & 0xf8;
      this.icw = 3;
    } else if (this.icw === 3) {
      this.icw = this.needsIcw4 ? 4 : 0;
    } else if (this.icw === 4) {
      this.autoEoi = (value & 2) !== 0;
      this.icw = 0;
    } else {
      this.imr = value & 0xff;
    }
  }

  private writeOcw2(value: number): void {
    if (!(value & EOI)) return;
    if (value & SPECIFIC) this.isr &= ~(1 << (value & 7));
    else if (this.isr !== 0) this.isr &= ~(1 << lowest(this.isr));
  }

  private writeOcw3(value: number): void {
    if (value & 2) this.readIsr = (value & 1) !== 0;
  }
}

function lowest(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** Line of the master that the slave hangs on. */
export const CASCADE = 2;

/** Port numbers the pair answers. */
export const PIC_PORTS: readonly number[] = [0x20, 0x21, 0xa0, 0xa1];

/** The pair, joined to a CPU by its INTR level. */
export class Pic8259 {
  readonly master = new Controller();
  readonly slave = new Controller();
  private readonly setIntr: (level: boolean) => void;

  /** @param setIntr drives the CPU's INTR pin */
  constructor(setIntr: (level: boolean) => void) {
    this.setIntr = setIntr;
  }

  /** A rising edge on one of the 16 lines: one request, latched until it is acknowledged. */
  pulse(irq: number): void {
    const chip = irq >= 8 ? this.slave : this.master;
    chip.irr |= 1 << (irq & 7);
    this.update();
  }

  /** Whether a line has a request that was not acknowledged yet. */
  requested(irq: number): boolean {
    return ((irq >= 8 ? this.slave.irr : this.master.irr) & (1 << (irq & 7))) !== 0;
  }

  /** The CPU acknowledges: returns the vector. Spurious requests give line 7 of the chip, as the hardware does. */
  acknowledge(): number {
    let vector: number;
    const line = this.master.acknowledge();
    if (line === CASCADE) {
      const inner = this.slave.acknowledge();
      vector = this.slave.base + (inner < 0 ? 7 : inner);
    } else {
      vector = this.master.base + (line < 0 ? 7 : line);
    }
    this.update();
    return vector;
  }

  read(port: number): number {
    const chip = port >= 0xa0 ? this.slave : this.master;
    return chip.read((port & 1) as 0 | 1);
  }

  write(port: number, value: number): void {
    const chip = port >= 0xa0 ? this.slave : this.master;
    chip.write((port & 1) as 0 | 1, value);
    this.update();
  }

  private update(): void {
    const cascade = this.slave.request() >= 0;
    // The slave's INT is a level: the master's request follows it.
    if (cascade) this.master.irr |= 1 << CASCADE;
    else this.master.irr &= ~(1 << CASCADE);
    this.setIntr(this.master.request() >= 0);
  }
}
