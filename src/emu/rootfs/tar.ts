// Reads and writes tar archives: ustar, GNU long names, pax headers. What Debian packages, fixtures and imported roots are made of.
import { InputError } from "../../errors.ts";

const BLOCK = 512;

export type TarType = "file" | "hardlink" | "symlink" | "char" | "block" | "directory" | "fifo";

/** One member of an archive. */
export interface TarEntry {
  /** As in the archive ("./usr/bin/ls", "etc/"). */
  path: string;
  type: TarType;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Target of a symbolic or hard link. */
  link: string;
  devMajor: number;
  devMinor: number;
  /** Contents of a file; a view of the archive. */
  data: Uint8Array;
  /** Extended attributes by name. */
  xattrs?: Record<string, Uint8Array>;
}

const TYPES: Record<string, TarType> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Walks the members of an archive in order.
 * @param where what to call the archive in an error
 * @throws InputError if a header is damaged or the archive is cut short
 */
export function* readTar(bytes: Uint8Array, where: string): Generator<TarEntry> {
  const damaged = (at: number, what: string) =>
    new InputError(`${where}: byte ${at}: ${what}; fetch or make the archive again`);
  const global: Record<string, Uint8Array> = {};
  let local: Record<string, Uint8Array> = {};
  let longName: string | undefined;
  let longLink: string | undefined;
  let at = 0;
  while (at + BLOCK <= bytes.length) {
    const head = bytes.subarray(at, at + BLOCK);
    if (isZero(head)) return;
    if (!checksumHolds(head)) throw damaged(at, "not a tar header");
    const headerSize = number(head, 124, 12);
    const type = String.fromCharCode(head[156]);
    const pax = { ...global, ...local };
    const meta = type === "x" || type === "g" || type === "L" || type === "K";
    const size = !meta && pax["size"] ? Number(decoder.decode(pax["size"])) : headerSize;
    const start = at + BLOCK;
    if (!(size >= 0) || start + size > bytes.length) throw damaged(at, "the archive is cut short");
    const body = bytes.subarray(start, start + size);
    const next = start + Math.ceil(size / BLOCK) * BLOCK;
    if (type === "x" || type === "g") {
      readPax(body, type === "g" ? global : local);
    } else if (type === "L") {
      longName = text(body, 0, body.length);
    } else if (type === "K") {
      longLink = text(body, 0, body.length);
    } else {
      const known = TYPES[type];
      if (known === undefined) throw damaged(at, `member type ${JSON.stringify(type)} is not supported`);
      yield member(head, known, body, pax, longName, longLink);
      local = {};
      longName = undefined;
      longLink = undefined;
    }
    at = next;
  }
  if (at === 0) throw damaged(0, "empty, not a tar archive");
}

function member(
  head: Uint8Array,
  type: TarType,
  body: Uint8Array,
  pax: Record<string, Uint8Array>,
  longName: string | undefined,
  longLink: string | undefined,
): TarEntry {
  const say = (key: string) => (pax[key] === undefined ? undefined : decoder.decode(pax[key]));
  const num = (key: string, offset: number, length: number) =>
    Math.floor(Number(say(key) ?? number(head, offset, length)));
  const isPosix = text(head, 257, 6) === "ustar" && head[262] === 0;
  const prefix = isPosix ? text(head, 345, 155) : "";
  const short = text(head, 0, 100);
  const path = say("path") ?? longName ?? (prefix ? `${prefix}/${short}` : short);
  const isDirectory = type === "directory" || (type === "file" && path.endsWith("/"));
  const entry: TarEntry = {
    path,
    type: isDirectory ? "directory" : type,
    mode: number(head, 100, 8) & 0o7777,
    uid: num("uid", 108, 8),
    gid: num("gid", 116, 8),
    mtime: num("mtime", 136, 12),
    link: say("linkpath") ?? longLink ?? text(head, 157, 100),
    devMajor: type === "char" || type === "block" ? number(head, 329, 8) : 0,
    devMinor: type === "char" || type === "block" ? number(head, 337, 8) : 0,
    data: type === "file" && !isDirectory ? body : new Uint8Array(0),
  };
  for (const [key, value] of Object.entries(pax)) {
    if (key.startsWith("SCHILY.xattr.")) {
      entry.xattrs ??= {};
      entry.xattrs[key.slice("SCHILY.xattr.".length)] = value;
    }
  }
  return entry;
}

function readPax(body: Uint8Array, into: Record<string, Uint8Array>): void {
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    if (space < 0) return;
    const length = Number(decoder.decode(body.subarray(at, space)));
    if (!(length > space - at + 2) || at + length > body.length) return;
    const equals = body.indexOf(0x3d, space);
    if (equals < 0 || equals >= at + length) return;
    into[decoder.decode(body.subarray(space + 1, equals))] = body.slice(equals + 1, at + length - 1);
    at += length;
  }
}

function isZero(block: Uint8Array): boolean {
  for (let i = 0; i < block.length; i++) if (block[i] !== 0) return false;
  return true;
}

function checksumHolds(head: Uint8Array): boolean {
  return checksum(head) === number(head, 148, 8);
}

/** Sum of the header's bytes, its own field taken as spaces. */
function checksum(head: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += head[i];
  return sum;
}

/** A numeric field: octal text, or GNU's base 256 when the first bit is set. */
function number(head: Uint8Array, offset: number, length: number): number {
  if (head[offset] & 0x80) {
    let value = head[offset] & 0x40 ? -1 : 0;
    for (let i = 1; i < length; i++) value = value * 256 + head[offset + i];
    return value;
  }
  const octal = text(head, offset, length).trim();
  return octal === "" ? 0 : Number.parseInt(octal, 8);
}

function text(bytes: Uint8Array, offset: number, length: number): string {
  let end = offset;
  while (end < offset + length && bytes[end] !== 0) end++;
  return decoder.decode(bytes.subarray(offset, end));
}

/** What `writeTar` is given: a member with everything but its path optional. */
export type TarInput = Partial<TarEntry> & { path: string };

/**
 * Makes a ustar archive (pax headers where a name is too long), the same bytes for the same members.
 * Missing owners are 0, missing times 0, missing modes 0644 (directories 0755, links 0777).
 */
export function writeTar(entries: readonly TarInput[]): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const e of entries) {
    const name = encoder.encode(e.path);
    const link = encoder.encode(e.link ?? "");
    if (name.length > 100 || link.length > 100) {
      let records = "";
      if (name.length > 100) records += paxRecord("path", e.path);
      if (link.length > 100) records += paxRecord("linkpath", e.link ?? "");
      const body = encoder.encode(records);
      pushMember(blocks, header({ path: "././@PaxHeader" }, "x", body.length), body);
    }
    const data = e.data ?? new Uint8Array(0);
    const type = Object.keys(TYPES).find((k) => k !== "\0" && TYPES[k] === (e.type ?? "file")) ?? "0";
    pushMember(blocks, header(e, type, data.length), data);
  }
  blocks.push(new Uint8Array(2 * BLOCK));
  return concat(blocks);
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = encoder.encode(rest).length;
  let length = bytes + String(bytes).length;
  if (String(length).length + bytes !== length) length = bytes + String(length).length;
  return `${length}${rest}`;
}

function header(e: TarInput, type: string, size: number): Uint8Array {
  const head = new Uint8Array(BLOCK);
  const put = (offset: number, value: string, length: number) =>
    head.set(encoder.encode(value).subarray(0, length), offset);
  const octal = (offset: number, value: number, length: number) =>
    put(offset, value.toString(8).padStart(length - 1, "0"), length);
  const mode = e.mode ?? (e.type === "directory" ? 0o755 : e.type === "symlink" ? 0o777 : 0o644);
  put(0, e.path, 100);
  octal(100, mode, 8);
  octal(108, e.uid ?? 0, 8);
  octal(116, e.gid ?? 0, 8);
  octal(124, size, 12);
  octal(136, e.mtime ?? 0, 12);
  put(156, type, 1);
  put(157, e.link ?? "", 100);
  put(257, "ustar\0" + "00", 8);
  octal(329, e.devMajor ?? 0, 8);
  octal(337, e.devMinor ?? 0, 8);
  put(148, `${checksum(head).toString(8).padStart(6, "0")}\0 `, 8);
  return head;
}

function pushMember(blocks: Uint8Array[], head: Uint8Array, body: Uint8Array): void {
  blocks.push(head, body);
  const tail = body.length % BLOCK;
  if (tail !== 0) blocks.push(new Uint8Array(BLOCK - tail));
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}
