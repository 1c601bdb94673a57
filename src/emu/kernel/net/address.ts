// Addresses of AF_INET and AF_INET6 (struct sockaddr_in, sockaddr_in6), as far as a machine with only a loopback device tells them apart.
import { EAFNOSUPPORT, EINVAL } from "../errno.ts";
import { AF_INET, AF_INET6 } from "./const.ts";

/** An IPv4 address as its 32-bit number (IPv4-mapped ones too), or one of the negative numbers below. */
export interface Address {
  ip: number;
  port: number;
}

export const ANY4 = 0;
export const LOOPBACK4 = 0x7f00_0001;
export const ANY6 = -1;
export const LOOPBACK6 = -2;
/** Any other IPv6 address: it is not of this machine, and no route leads there. */
export const ELSEWHERE6 = -3;

export const anyOf = (family: number): number => (family === AF_INET ? ANY4 : ANY6);
export const isAny = (ip: number): boolean => ip === ANY4 || ip === ANY6;
/** 127.0.0.0/8 and ::1. */
export const isLoopback = (ip: number): boolean => ip === LOOPBACK6 || (ip >= 0 && ip >>> 24 === 127);

function ip6(bytes: Uint8Array): number {
  const v = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const words = [v.getUint32(0), v.getUint32(4), v.getUint32(8)];
  const last = v.getUint32(12);
  if (words[0] !== 0 || words[1] !== 0) return ELSEWHERE6;
  if (words[2] === 0xffff) return last;
  if (words[2] !== 0) return ELSEWHERE6;
  return last === 0 ? ANY6 : last === 1 ? LOOPBACK6 : ELSEWHERE6;
}

/** The family in a struct sockaddr. */
export const familyOf = (bytes: Uint8Array): number => bytes[0] | (bytes[1] << 8);

/** A struct sockaddr of the family, or -errno. */
export function parse(family: number, bytes: Uint8Array): Address | number {
  if (bytes.length < (family === AF_INET ? 16 : 24)) return -EINVAL;
  if (familyOf(bytes) !== family) return -EAFNOSUPPORT;
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const port = v.getUint16(2);
  return family === AF_INET ? { ip: v.getUint32(4), port } : { ip: ip6(bytes.subarray(8, 24)), port };
}

/** The bytes of an IPv6 address. */
export function bytes6(ip: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const v = new DataView(bytes.buffer);
  if (ip >= 0) {
    v.setUint32(8, 0xffff);
    v.setUint32(12, ip);
  } else if (ip === LOOPBACK6) bytes[15] = 1;
  return bytes;
}

/** The struct sockaddr of an address as a socket of the family shows it. */
export function format(family: number, { ip, port }: Address): Uint8Array {
  const bytes = new Uint8Array(family === AF_INET ? 16 : 28);
  const v = new DataView(bytes.buffer);
  v.setUint16(0, family, true);
  v.setUint16(2, port);
  if (family === AF_INET6) bytes.set(bytes6(ip), 8);
  else v.setUint32(4, ip);
  return bytes;
}
