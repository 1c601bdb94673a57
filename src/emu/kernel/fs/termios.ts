// A terminal's settings: struct termios in its three shapes, and what a new terminal begins with (asm-generic/termbits.h).

// c_iflag
export const ISTRIP = 0o40;
export const INLCR = 0o100;
export const IGNCR = 0o200;
export const ICRNL = 0o400;
export const IUCLC = 0o1000;
export const IXON = 0o2000;
export const IXANY = 0o4000;
export const IMAXBEL = 0o20000;
export const IUTF8 = 0o40000;
// c_oflag
export const OPOST = 1;
export const OLCUC = 2;
export const ONLCR = 4;
export const OCRNL = 8;
export const ONOCR = 0o20;
export const ONLRET = 0o40;
export const TABDLY = 0o14000;
// c_cflag: 38400 baud, 8 bits, receiver on
const B38400 = 0o17;
const CS8 = 0o60;
const CREAD = 0o200;
const CBAUD = 0o10017;
// c_lflag
export const ISIG = 1;
export const ICANON = 2;
export const ECHO = 0o10;
export const ECHOE = 0o20;
export const ECHOK = 0o40;
export const ECHONL = 0o100;
export const NOFLSH = 0o200;
export const TOSTOP = 0o400;
export const ECHOCTL = 0o1000;
export const ECHOPRT = 0o2000;
export const ECHOKE = 0o4000;
export const IEXTEN = 0o100000;
// Indices into c_cc.
export const VINTR = 0;
export const VQUIT = 1;
export const VERASE = 2;
export const VKILL = 3;
export const VEOF = 4;
export const VTIME = 5;
export const VMIN = 6;
export const VSTART = 8;
export const VSTOP = 9;
export const VSUSP = 10;
export const VEOL = 11;
export const VREPRINT = 12;
export const VWERASE = 14;
export const VLNEXT = 15;
export const VEOL2 = 16;

const CONTROL_CHARACTERS = 19;
/** Of the old struct termio. */
const OLD_CONTROL_CHARACTERS = 8;
/** Bytes of struct termios, termios2 and termio. */
export const TERMIOS_BYTES = 36;
export const TERMIOS2_BYTES = 44;
export const TERMIO_BYTES = 18;

/** Baud rates by their codes: 0 to 15, and 0o10001 to 0o10017. */
const SPEEDS = [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400];
const FAST = [
  57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000,
  4000000,
];

export class Termios {
  iflag = ICRNL | IXON;
  oflag = OPOST | ONLCR;
  cflag = B38400 | CS8 | CREAD;
  lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
  line = 0;
  readonly cc = new Uint8Array(CONTROL_CHARACTERS);

  constructor() {
    // ^C ^\ DEL ^U ^D, time 0, min 1, none, ^Q ^S ^Z, none, ^R ^O ^W ^V, none
    this.cc.set([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0]);
  }

  private get speed(): number {
    const code = this.cflag & CBAUD;
    return code > 15 ? FAST[(code & 15) - 1] : SPEEDS[code];
  }

  /** struct termios, or struct termios2 with its two speeds. */
  encode(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const v = new DataView(bytes.buffer);
    for (const [i, word] of [this.iflag, this.oflag, this.cflag, this.lflag].entries()) v.setUint32(4 * i, word, true);
    bytes[16] = this.line;
    bytes.set(this.cc, 17);
    if (length === TERMIOS2_BYTES) {
      v.setUint32(36, this.speed, true);
      v.setUint32(40, this.speed, true);
    }
    return bytes;
  }

  decode(bytes: Uint8Array): void {
    const v = new DataView(bytes.buffer, bytes.byteOffset);
    this.iflag = v.getUint32(0, true);
    this.oflag = v.getUint32(4, true);
    this.cflag = v.getUint32(8, true);
    this.lflag = v.getUint32(12, true);
    this.line = bytes[16];
    this.cc.set(bytes.subarray(17, 36));
  }

  /** struct termio: the low halves, and the first eight control characters. */
  encodeOld(): Uint8Array {
    const bytes = new Uint8Array(TERMIO_BYTES);
    const v = new DataView(bytes.buffer);
    for (const [i, word] of [this.iflag, this.oflag, this.cflag, this.lflag].entries()) v.setUint16(2 * i, word, true);
    bytes[8] = this.line;
    bytes.set(this.cc.subarray(0, OLD_CONTROL_CHARACTERS), 9);
    return bytes;
  }

  decodeOld(bytes: Uint8Array): void {
    const v = new DataView(bytes.buffer, bytes.byteOffset);
    const merge = (old: number, at: number) => (old & ~0xffff) | v.getUint16(at, true);
    this.iflag = merge(this.iflag, 0);
    this.oflag = merge(this.oflag, 2);
    this.cflag = merge(this.cflag, 4);
    this.lflag = merge(this.lflag, 6);
    this.line = bytes[8];
    this.cc.set(bytes.subarray(9, 9 + OLD_CONTROL_CHARACTERS));
  }
}
