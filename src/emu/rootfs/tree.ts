// A root file system being put together: packages are laid over each other, then it is laid out as an image.
import { InputError } from "../../errors.ts";
import {
  entryText,
  IMAGE_PAGE_BYTES,
  type ImageEntry,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "./image.ts";
import type { TarEntry, TarType } from "./tar.ts";

/** A file, whatever its names. Two paths with the same node are hard links. */
export interface TreeNode {
  mode: number;
  uid: number;
  gid: number;
  mtime: number;
  data?: Uint8Array;
  target?: string;
  rdev?: number;
  xattrs?: Record<string, string>;
}

/** What a digest is computed with: node:crypto's createHash("sha256") fits. */
export interface Hash {
  update(data: string | Uint8Array): unknown;
  digest(encoding: "hex"): string;
}

/** A tree laid out: entries, the pieces of the blob in order, and the digest. */
export interface LaidOut {
  digest: string;
  entries: ImageEntry[];
  /** Contents with where each starts; the gaps are zeros. */
  pieces: { offset: number; data: Uint8Array }[];
  dataBytes: number;
}

const MODE_OF_TYPE: Record<Exclude<TarType, "hardlink">, number> = {
  file: S_IFREG,
  symlink: S_IFLNK,
  char: S_IFCHR,
  block: S_IFBLK,
  directory: S_IFDIR,
  fifo: S_IFIFO,
};

/** Links followed in one path before it counts as a loop, as Linux does. */
const MAX_LINKS = 40;

export class Tree {
  private readonly nodes = new Map<string, TreeNode>([["/", { mode: S_IFDIR | 0o755, uid: 0, gid: 0, mtime: 0 }]]);
  /** Latest modification time of what archives brought: the time of everything made up besides. */
  epoch = 0;

  /** The node at a path, links in it not followed. */
  get(path: string): TreeNode | undefined {
    return this.nodes.get(path);
  }

  paths(): string[] {
    return [...this.nodes.keys()];
  }

  /** Contents of the file that a path leads to, as text; undefined if there is none. */
  readText(path: string): string | undefined {
    const data = this.nodes.get(this.resolve(path))?.data;
    return data && new TextDecoder().decode(data);
  }

  /** Follows links until the path names something else, or nothing. */
  resolve(path: string): string {
    let at = this.place(path);
    for (let i = 0; i < MAX_LINKS; i++) {
      const node = this.nodes.get(at);
      if (node?.target === undefined) return at;
      at = this.place(node.target.startsWith("/") ? node.target : `${parentOf(at)}/${node.target}`);
    }
    throw new InputError(`${path}: too many symbolic links; the package set cannot be laid out`);
  }

  /** A path with every link in its directories followed (the last name is kept), "." and ".." resolved; never above the root. */
  place(path: string): string {
    const todo = path.split("/").reverse();
    let at = "";
    let links = 0;
    while (todo.length > 0) {
      const name = todo.pop()!;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
        continue;
      }
      const next = `${at}/${name}`;
      const target = todo.some((n) => n !== "") ? this.nodes.get(next)?.target : undefined;
      if (target === undefined) {
        at = next;
        continue;
      }
      if (++links > MAX_LINKS)
        throw new InputError(`${path}: too many symbolic links; the package set cannot be laid out`);
      if (target.startsWith("/")) at = "";
      todo.push(...target.split("/").reverse());
    }
    return at === "" ? "/" : at;
  }

  /** Puts a node at a path; directories missing on the way are made. A directory keeps what is in it. */
  put(path: string, node: TreeNode): void {
    const at = this.place(path);
    this.makeParents(at);
    const old = this.nodes.get(at);
    const isDirectory = (node.mode & S_IFMT) === S_IFDIR;
    if (old && isDirectory) {
      // A link to a directory stays when a package brings that directory (merged /usr).
      if (old.target !== undefined) return;
      if ((old.mode & S_IFMT) === S_IFDIR && old.mtime > node.mtime) return;
    } else if (old && (old.mode & S_IFMT) === S_IFDIR) {
      throw new InputError(`${at}: a directory in one package, a file in another; the package set cannot be laid out`);
    }
    this.nodes.set(at, node);
  }

  /** Gives the file at `existing` one more name. */
  link(path: string, existing: string): void {
    const node = this.nodes.get(this.place(existing));
    if (node === undefined)
      throw new InputError(`${path}: hard link to ${existing}, which is not there; the archive is damaged`);
    const at = this.place(path);
    this.makeParents(at);
    this.nodes.set(at, node);
  }

  delete(path: string): void {
    this.nodes.delete(this.place(path));
  }

  private makeParents(at: string): void {
    for (let p = parentOf(at); !this.nodes.has(p); p = parentOf(p)) {
      this.nodes.set(p, { mode: S_IFDIR | 0o755, uid: 0, gid: 0, mtime: this.epoch });
    }
  }

  /** Lays an archive over the tree. */
  addTar(entries: Iterable<TarEntry>): void {
    for (const e of entries) {
      const path = `/${e.path}`;
      if (e.mtime > this.epoch) this.epoch = e.mtime;
      if (e.type === "hardlink") {
        this.link(path, `/${e.link}`);
        continue;
      }
      const node: TreeNode = { mode: MODE_OF_TYPE[e.type] | e.mode, uid: e.uid, gid: e.gid, mtime: e.mtime };
      if (e.type === "file") node.data = e.data;
      if (e.type === "symlink") node.target = e.link;
      if (e.type === "char" || e.type === "block") node.rdev = deviceNumber(e.devMajor, e.devMinor);
      if (e.xattrs) node.xattrs = Object.fromEntries(Object.entries(e.xattrs).map(([k, v]) => [k, base64(v)]));
      this.put(path, node);
    }
  }

  /** Sorts the tree, places the contents and takes the digest. */
  layOut(hash: Hash): LaidOut {
    const entries: ImageEntry[] = [];
    const pieces: LaidOut["pieces"] = [];
    const first = new Map<TreeNode, ImageEntry>();
    let offset = 0;
    for (const [path, node] of [...this.nodes].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const { mode, uid, gid, mtime } = node;
      const original = first.get(node);
      if (original) {
        entries.push({ ...original, path, hardlink: original.path });
        continue;
      }
      const size = node.target !== undefined ? new TextEncoder().encode(node.target).length : (node.data?.length ?? 0);
      const entry: ImageEntry = { path, mode, uid, gid, mtime, size, offset: 0 };
      if (node.target !== undefined) entry.target = node.target;
      if (node.rdev !== undefined) entry.rdev = node.rdev;
      if (node.xattrs) entry.xattrs = node.xattrs;
      if (node.data && size > 0) {
        entry.offset = offset;
        pieces.push({ offset, data: node.data });
        offset += Math.ceil(size / IMAGE_PAGE_BYTES) * IMAGE_PAGE_BYTES;
      }
      first.set(node, entry);
      entries.push(entry);
    }
    for (const e of entries) hash.update(`${entryText(e)}\n`);
    for (const p of pieces) hash.update(p.data);
    return { digest: hash.digest("hex"), entries, pieces, dataBytes: offset };
  }
}

/** Device number as stat64 shows it (Linux's new_encode_dev). */
export function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

function base64(bytes: Uint8Array): string {
  let binary = "";
  for (const b of bytes) binary += String.fromCharCode(b);
  return btoa(binary);
}
