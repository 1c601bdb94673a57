// A root image: every file the guest's read-only root layer holds, as one sorted list and one blob of page-aligned contents.
import { InputError } from "../../errors.ts";

/** Contents start at multiples of this, so that a page of a file is one read. */
export const IMAGE_PAGE_BYTES = 4096;

/** File type bits of a mode, as in stat(2). */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

/** One name of the image. The second and later names of a file with several are hard links: same contents, `hardlink` names the first. */
export interface ImageEntry {
  /** Absolute, normal path; the root is "/". */
  path: string;
  /** Type and permission bits, as st_mode. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Bytes of a regular file, length of a link's target, 0 for the rest. */
  size: number;
  /** Where the contents of a regular file start in the blob; page-aligned; 0 if there are none. */
  offset: number;
  /** What a symbolic link points to. */
  target?: string;
  /** Path of the entry that this one is another name of. */
  hardlink?: string;
  /** Device number of a device node, as Linux encodes it in stat64: (major << 8) | minor for small numbers. */
  rdev?: number;
  /** Extended attributes: name to value in base64. */
  xattrs?: Record<string, string>;
}

/** A read-only root layer. */
export interface RootImage {
  /** SHA-256 over the entries and the contents, in hex: the same files give the same digest on any host. */
  digest: string;
  /** Sorted by path (code units), so that a directory precedes what is in it. */
  entries: ImageEntry[];
  /** Contents of the blob; synchronous. A range beyond the end reads as zeros, as the rest of a file's last page does. */
  read(offset: number, length: number): Uint8Array;
}

/** What index.json holds: the entries and where they came from. */
export interface ImageIndex {
  digest: string;
  entries: ImageEntry[];
  /** "name version" of the Debian packages in the image, sorted; empty for an imported directory or tar. */
  packages: string[];
  /** Bytes of the blob. */
  dataBytes: number;
}

/** A row of index.json: the fields of ImageEntry in order; trailing empty ones are left out. */
type IndexRow = [
  string,
  number,
  number,
  number,
  number,
  number,
  number,
  (string | 0)?,
  (string | 0)?,
  number?,
  Record<string, string>?,
];

const FORMAT = "kmlab-root-image";
const VERSION = 1;

function rowOf(e: ImageEntry): IndexRow {
  const row: IndexRow = [e.path, e.mode, e.uid, e.gid, e.mtime, e.size, e.offset];
  if (e.target !== undefined || e.hardlink !== undefined || e.rdev !== undefined || e.xattrs) {
    row.push(e.target ?? 0, e.hardlink ?? 0, e.rdev ?? 0);
    if (e.xattrs) row.push(e.xattrs);
  }
  return row;
}

/** The text of an entry's row: what the digest is taken over, and what index.json holds. */
export function entryText(e: ImageEntry): string {
  return JSON.stringify(rowOf(e));
}

/** The text of index.json. */
export function formatIndex(index: ImageIndex): string {
  const head = { format: FORMAT, version: VERSION, digest: index.digest, dataBytes: index.dataBytes };
  const packages = JSON.stringify(index.packages);
  const rows = index.entries.map(entryText).join(",\n");
  return `${JSON.stringify(head).slice(0, -1)},"packages":${packages},"entries":[\n${rows}\n]}\n`;
}

/**
 * Reads index.json.
 * @param text contents of the file
 * @param where what to call the file in an error
 * @throws InputError if it is not the index of an image, or of a version we do not know
 */
export function parseIndex(text: string, where: string): ImageIndex {
  const damaged = (what: string) =>
    new InputError(`${where}: ${what}; remove the image's folder and make it again with \`kmlab rootfs\``);
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw damaged("not a whole root image index");
  }
  const o = raw as Partial<Record<string, unknown>>;
  if (typeof o !== "object" || o === null || o["format"] !== FORMAT) throw damaged("not a root image index");
  if (o["version"] !== VERSION)
    throw damaged(`root image version ${String(o["version"])}, this kmlab reads ${VERSION}`);
  const { digest, dataBytes, packages, entries } = o;
  if (
    typeof digest !== "string" ||
    typeof dataBytes !== "number" ||
    !Array.isArray(packages) ||
    !Array.isArray(entries)
  )
    throw damaged("a field is missing");
  return {
    digest,
    dataBytes,
    packages: packages as string[],
    entries: readRows(entries as IndexRow[], dataBytes, damaged),
  };
}

function readRows(rows: IndexRow[], dataBytes: number, damaged: (what: string) => InputError): ImageEntry[] {
  const entries: ImageEntry[] = new Array(rows.length);
  let previous = "";
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    const [path, mode, uid, gid, mtime, size, offset, target, hardlink, rdev, xattrs] = row;
    if (typeof path !== "string" || path[0] !== "/" || path <= previous)
      throw damaged(`entry ${i}: paths out of order`);
    if (!(size >= 0) || !(offset >= 0) || ((mode & S_IFMT) === S_IFREG && offset + size > dataBytes))
      throw damaged(`entry ${i} (${path}): contents outside the blob`);
    previous = path;
    const e: ImageEntry = { path, mode, uid, gid, mtime, size, offset };
    if (row.length > 7) {
      if (target) e.target = target;
      if (hardlink) e.hardlink = hardlink;
      if (rdev) e.rdev = rdev;
      if (xattrs) e.xattrs = xattrs;
    }
    entries[i] = e;
  }
  return entries;
}

/** An image whose contents are in memory: for browsers and tests. */
export function imageFromBytes(index: ImageIndex, data: Uint8Array): RootImage {
  return { digest: index.digest, entries: index.entries, read: (offset, length) => rangeOf(data, offset, length) };
}

function rangeOf(data: Uint8Array, offset: number, length: number): Uint8Array {
  if (offset + length <= data.length) return data.subarray(offset, offset + length);
  const out = new Uint8Array(length);
  if (offset < data.length) out.set(data.subarray(offset));
  return out;
}
