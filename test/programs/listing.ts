// What a run leaves behind, as lines that can be compared: one per file, and the difference from what was there before.

/** A file as both kernels must agree on it. */
export interface ListedFile {
  path: string;
  /** Type and permissions, as st_mode. */
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  /** Bytes of a regular file. */
  size: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Target of a link, or a hash of the contents. */
  content: string;
}

/** Times after this (2020-09-13) are "now" of either clock, not something that was set: they are compared as such. */
const NOW_FROM = 1_600_000_000;

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;

/** The file's line. */
export function listingLine(f: ListedFile): string {
  const type = f.mode & S_IFMT;
  const size = type === S_IFREG ? f.size : "-";
  const mtime = f.mtime > NOW_FROM ? "now" : f.mtime;
  const content = type === S_IFDIR ? "" : ` ${f.content}`;
  return `${f.path} ${f.mode.toString(8)} ${f.uid}:${f.gid} ${f.nlink} ${size} ${mtime}${content}`;
}

/** Lines that came ("+ ...") and went ("- ..."), sorted. */
export function listingChanges(before: readonly string[], after: readonly string[]): string[] {
  const old = new Set(before);
  const fresh = new Set(after);
  const changes = [
    ...before.filter((line) => !fresh.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !old.has(line)).map((line) => `+ ${line}`),
  ];
  return changes.sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : a.slice(2) > b.slice(2) ? 1 : a < b ? -1 : 1));
}
