// ioctl of sockets: what is queued, and the one network device, lo (net/core/dev_ioctl.c, net/ipv4/devinet.c).
import { EADDRNOTAVAIL, EFAULT, EINVAL, ENODEV, ENOTTY } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { bytesOf, copyIn, copyOut, readI32, readU32, writeU32 } from "../user.ts";
import { format, LOOPBACK4 } from "./address.ts";
import { AF_INET, AF_UNIX, SOCK_SEQPACKET } from "./const.ts";
import type { Socket } from "./socket.ts";

const FIONREAD = 0x541b;
const TIOCOUTQ = 0x5411;
const SIOCATMARK = 0x8905;
const SIOCGIFNAME = 0x8910;
const SIOCGIFCONF = 0x8912;
/** Requests that take a struct ifreq of 32 bytes: a name of 16, then the answer. */
const IF = {
  FLAGS: 0x8913,
  ADDR: 0x8915,
  DSTADDR: 0x8917,
  BRDADDR: 0x8919,
  NETMASK: 0x891b,
  METRIC: 0x891d,
  MTU: 0x8921,
  HWADDR: 0x8927,
  INDEX: 0x8933,
  TXQLEN: 0x8942,
} as const;
const IFREQ_BYTES = 32;
/** IFF_UP | IFF_LOOPBACK | IFF_RUNNING. */
const LO_FLAGS = 0x49;
const ARPHRD_LOOPBACK = 772;
const LO_MTU = 65536;

function ifreq(answer: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(IFREQ_BYTES);
  bytes.set(bytesOf("lo"));
  bytes.set(answer.subarray(0, 16), 16);
  return bytes;
}

const word = (n: number): Uint8Array => new Uint8Array(Int32Array.of(n).buffer);
const address = (ip: number): Uint8Array => format(AF_INET, { ip, port: 0 });

/** What lo answers to a request of SIOCGIF*; undefined: no such request. */
function ofLo(cmd: number): Uint8Array | undefined {
  switch (cmd) {
    case IF.FLAGS:
      return Uint8Array.of(LO_FLAGS, 0);
    case IF.ADDR:
    case IF.DSTADDR:
      return address(LOOPBACK4);
    case IF.BRDADDR:
      return address(0);
    case IF.NETMASK:
      return address(0xff00_0000);
    case IF.METRIC:
      return word(0);
    case IF.MTU:
      return word(LO_MTU);
    case IF.HWADDR:
      return Uint8Array.of(ARPHRD_LOOPBACK & 255, ARPHRD_LOOPBACK >> 8);
    case IF.INDEX:
      return word(1);
    case IF.TXQLEN:
      return word(1000);
    default:
      return undefined;
  }
}

/** struct ifconf: room in bytes, where to; answers what was written, or without a place what it takes. */
function ifconf(k: Kernel, t: Task, arg: number): number {
  const room = readI32(k, t, arg);
  const to = readU32(k, t, arg + 4);
  if (to !== 0 && room >= IFREQ_BYTES) copyOut(k, t, to, ifreq(address(LOOPBACK4)));
  writeU32(k, t, arg, to !== 0 && room < IFREQ_BYTES ? 0 : IFREQ_BYTES);
  return 0;
}

/** Bytes that wait: of datagrams, those of the first. */
function unread(s: Socket): number {
  const pieces = s.stream || s.type === SOCK_SEQPACKET ? s.received : s.received.slice(0, 1);
  return pieces.reduce((n, p) => n + p.bytes.length, 0);
}

export function socketIoctl(k: Kernel, t: Task, s: Socket, cmd: number, arg: number): number {
  switch (cmd) {
    case FIONREAD:
      if (s.listening) return -EINVAL;
      writeU32(k, t, arg, unread(s));
      return 0;
    case TIOCOUTQ:
      if (s.listening) return -EINVAL;
      writeU32(k, t, arg, s.family === AF_UNIX ? (s.peer?.bytes ?? 0) : 0);
      return 0;
    case SIOCATMARK:
      if (!s.stream) return -ENOTTY;
      writeU32(k, t, arg, 0);
      return 0;
    case SIOCGIFCONF:
      return arg === 0 ? -EFAULT : ifconf(k, t, arg);
    case SIOCGIFNAME:
      if (readI32(k, t, arg + 16) !== 1) return -ENODEV;
      copyOut(k, t, arg, ifreq(word(1)));
      return 0;
    default:
      break;
  }
  const answer = ofLo(cmd);
  if (!answer) return -ENOTTY;
  const name = String.fromCharCode(...copyIn(k, t, arg, 16)).split("\0")[0];
  if (name !== "lo") return -ENODEV;
  // Addresses are asked of the family's own table, which only AF_INET has here.
  if (s.family === AF_UNIX && answer.length === 16) return -EADDRNOTAVAIL;
  copyOut(k, t, arg + 16, ifreq(answer).subarray(16));
  return 0;
}
