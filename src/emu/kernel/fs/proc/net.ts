// /proc/net: the sockets of TCP and UDP and the one device (net/ipv4/tcp_ipv4.c, udp.c, net/ipv6).
import type { Kernel } from "../../kernel.ts";
import { type Address, bytes6 } from "../../net/address.ts";
import { AF_INET, AF_INET6 } from "../../net/const.ts";
import type { InetSocket } from "../../net/inet.ts";
import { TCP, TcpSocket } from "../../net/tcp.ts";
import type { RootFile } from "./root.ts";

const hex = (n: number, digits: number): string => (n >>> 0).toString(16).toUpperCase().padStart(digits, "0");

/** An address as its words lie in memory, and the port. */
function place(family: number, { ip, port }: Address): string {
  const bytes = bytes6(ip);
  const v = new DataView(bytes.buffer);
  const words = family === AF_INET ? [12] : [0, 4, 8, 12];
  return `${words.map((i) => hex(v.getUint32(i, true), 8)).join("")}:${hex(port, 4)}`;
}

function stateOf(s: InetSocket): number {
  return s instanceof TcpSocket ? s.state : s.wasConnected ? TCP.established : TCP.close;
}

/** What both protocols show of a socket; `last` is their own. */
function row(s: InetSocket, i: number, digits: number, last: string): string {
  const waiting = s.listening ? s.backlog.length : s.bytes;
  return (
    `${String(i).padStart(digits)}: ${place(s.family, s.local)} ${place(s.family, s.remote)} ${hex(stateOf(s), 2)} ` +
    `00000000:${hex(waiting, 8)} 00:00000000 00000000 ${String(s.uid).padStart(5)} ${"0".padStart(8)} ${s.ino} ${last}`
  );
}

const COLUMNS = "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const FOUR = `local_address rem_address   ${COLUMNS}`;
const SIX = `local_address                         remote_address                        ${COLUMNS}`;

function tcp(k: Kernel, family: number): string {
  const sockets = [...k.vfs.inet.tcp.all()].filter((s) => s.family === family);
  // Who listens comes first.
  const rows = [...sockets.filter((s) => s.listening), ...sockets.filter((s) => !s.listening)].map((s, i) =>
    row(s, i, 4, s.listening ? "1 00000000 100 0 0 10 0" : "1 00000000 20 0 0 10 -1"),
  );
  return family === AF_INET ? lines([`  sl  ${FOUR}`, ...rows], 149) : lines([`  sl  ${SIX}`, ...rows], 0);
}

function udp(k: Kernel, family: number): string {
  const sockets = [...k.vfs.inet.udp.all()].filter((s) => s.family === family);
  const rows = sockets.map((s, i) => row(s, i, 5, "2 00000000 0"));
  const more = "ref pointer drops";
  return family === AF_INET
    ? lines([`   sl  ${FOUR} ${more}`, ...rows], 127)
    : lines([`  sl  ${SIX} ${more}`, ...rows], 0);
}

function lines(rows: readonly string[], width: number): string {
  return rows.map((text) => `${text.padEnd(width)}\n`).join("");
}

export const NET_FILES: readonly RootFile[] = [
  ["net/tcp", (k) => tcp(k, AF_INET)],
  ["net/tcp6", (k) => tcp(k, AF_INET6)],
  ["net/udp", (k) => udp(k, AF_INET)],
  ["net/udp6", (k) => udp(k, AF_INET6)],
  ["net/if_inet6", () => "00000000000000000000000000000001 01 80 10 80       lo\n"],
];
