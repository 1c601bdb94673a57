// A 16550 serial port as far as polled output goes: always ready to send, nothing ever received, no interrupts.

/** Port numbers of COM1. */
export const COM1_PORTS: readonly number[] = [0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff];

const DATA = 0;
const INTERRUPT_ENABLE = 1;
const INTERRUPT_ID = 2;
const LINE_CONTROL = 3;
const LINE_STATUS = 5;
const MODEM_STATUS = 6;
const DIVISOR_ACCESS = 0x80;
/** Nothing to send is left, in the register and in the shifter. */
const IDLE = 0x60;
/** Carrier, data set ready, clear to send. */
const CONNECTED = 0xb0;
const NO_INTERRUPT = 1;
const FIFO_ON = 0xc0;

export class Serial {
  private readonly send: (byte: number) => void;
  private readonly registers = new Uint8Array(8);
  private readonly divisor = new Uint8Array([12, 0]);
  private fifo = false;

  /** @param send takes each byte that the guest sends */
  constructor(send: (byte: number) => void) {
    this.send = send;
  }

  read(port: number): number {
    const n = port & 7;
    if (n <= INTERRUPT_ENABLE && this.registers[LINE_CONTROL] & DIVISOR_ACCESS) return this.divisor[n];
    if (n === DATA) return 0;
    if (n === INTERRUPT_ID) return NO_INTERRUPT | (this.fifo ? FIFO_ON : 0);
    if (n === LINE_STATUS) return IDLE;
    if (n === MODEM_STATUS) return CONNECTED;
    return this.registers[n];
  }

  write(port: number, value: number): void {
    const n = port & 7;
    if (n <= INTERRUPT_ENABLE && this.registers[LINE_CONTROL] & DIVISOR_ACCESS) this.divisor[n] = value;
    else if (n === DATA) this.send(value);
    else if (n === INTERRUPT_ID) this.fifo = (value & 1) !== 0;
    else if (n !== LINE_STATUS && n !== MODEM_STATUS) this.registers[n] = value;
  }
}
