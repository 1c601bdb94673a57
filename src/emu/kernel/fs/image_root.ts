// The root file system over an image. A directory's names are made when somebody first looks into it, a file's page cache when
// it is opened: most programs see few of a root's files.
import { IMAGE_PAGE_BYTES, type ImageEntry, type RootImage } from "../../rootfs/image.ts";
import { S_IFDIR, S_IFMT } from "./const.ts";
import { Dentry } from "./inode.ts";
import { MemInode, MemSuper } from "./memfs.ts";
import type { PageCache } from "./page_cache.ts";

/** The root directory's inode number, as in ext4; the image's entries follow. */
const FIRST_INO = 2;

/** File names are bytes: one char per byte, so UTF-8 of anything above ASCII is spelt out. */
export function byteString(s: string): string {
  for (let i = 0; i < s.length; i++) {
    if (s.charCodeAt(i) < 0x80) continue;
    let out = "";
    for (const b of new TextEncoder().encode(s)) out += String.fromCharCode(b);
    return out;
  }
  return s;
}

function base64(text: string): Uint8Array {
  const raw = atob(text);
  return Uint8Array.from(raw, (c) => c.charCodeAt(0));
}

/** Bytes of an image's blob that its entries cover. */
export function imageBytes(image: RootImage): number {
  let end = 0;
  for (const e of image.entries) if (e.size > 0 && e.offset + e.size > end) end = e.offset + e.size;
  return Math.ceil(end / IMAGE_PAGE_BYTES) * IMAGE_PAGE_BYTES;
}

/** What a directory of the image holds: numbers of entries, in order. */
interface Listing {
  readonly entries: number[];
  directories: number;
}

/** The root file system over an image. Entry i of the image has inode number FIRST_INO + 1 + i; its other names share it. */
export function mountImage(dev: number, cache: PageCache, image: RootImage): MemSuper {
  const sb = new MemSuper(dev, "ext4", cache, 0o755, FIRST_INO);
  new ImageRoot(sb, image.entries).mount();
  sb.reserve(image.entries.length);
  return sb;
}

class ImageRoot {
  private readonly sb: MemSuper;
  private readonly entries: readonly ImageEntry[];
  private readonly listings = new Map<string, Listing>();
  /** By the number of an entry that is another name of a file, the number of its first. */
  private readonly first = new Map<number, number>();
  /** By the number of a file's first name, its names and, once made, its inode. */
  private readonly shared = new Map<number, { names: number; inode: MemInode | null }>();

  constructor(sb: MemSuper, entries: readonly ImageEntry[]) {
    this.sb = sb;
    this.entries = entries;
  }

  /** Notes which names each directory holds; makes the root's inode alone. */
  mount(): void {
    const { entries, listings, sb } = this;
    const root: Listing = { entries: [], directories: 0 };
    listings.set("", root);
    let path = "";
    let listing: Listing | undefined = root;
    for (let i = 0; i < entries.length; i++) {
      const e = entries[i];
      if (e.path === "/") {
        attributes(sb.root.inode as MemInode, e);
        sb.root.inode.size = 4096;
        continue;
      }
      const slash = e.path.lastIndexOf("/");
      if (slash !== path.length || !e.path.startsWith(path)) {
        path = e.path.slice(0, slash);
        listing = listings.get(path);
      }
      if (listing === undefined) continue;
      listing.entries.push(i);
      const isDirectory = (e.mode & S_IFMT) === S_IFDIR;
      if (e.hardlink !== undefined && this.isAnotherName(i, e.hardlink)) continue;
      sb.inodes++;
      if (!isDirectory) continue;
      listing.directories++;
      listings.set(e.path, { entries: [], directories: 0 });
    }
    sb.root.inode.nlink += root.directories;
    sb.root.later = (dir) => this.fill(dir, root);
  }

  /** Notes that entry i is another name of the file at `path`; false if there is no such file before it. */
  private isAnotherName(i: number, path: string): boolean {
    const { entries } = this;
    let low = 0;
    let high = i;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (entries[middle].path < path) low = middle + 1;
      else high = middle;
    }
    const there = low < i && entries[low].path === path && (entries[low].mode & S_IFMT) !== S_IFDIR;
    if (!there || this.first.has(low) || !this.listings.has(path.slice(0, path.lastIndexOf("/")))) return false;
    this.first.set(i, low);
    const file = this.shared.get(low);
    if (file === undefined) this.shared.set(low, { names: 2, inode: null });
    else file.names++;
    return true;
  }

  private fill(dir: Dentry, listing: Listing): void {
    for (const i of listing.entries) {
      const { path } = this.entries[i];
      const inode = this.inode(this.first.get(i) ?? i);
      const dentry = new Dentry(byteString(path.slice(path.lastIndexOf("/") + 1)), dir, inode);
      dir.add(dentry);
      const below = inode.isDir ? this.listings.get(path) : undefined;
      if (below === undefined) continue;
      this.listings.delete(path);
      inode.nlink += below.directories;
      if (below.entries.length > 0) dentry.later = (made) => this.fill(made, below);
    }
  }

  private inode(i: number): MemInode {
    const file = this.shared.get(i);
    if (file === undefined) return this.newInode(i);
    if (file.inode === null) {
      file.inode = this.newInode(i);
      file.inode.nlink = file.names;
    }
    return file.inode;
  }

  private newInode(i: number): MemInode {
    const e = this.entries[i];
    const inode = new MemInode(this.sb, FIRST_INO + 1 + i, e.mode);
    attributes(inode, e);
    if (inode.isRegular) inode.inImage(e.offset);
    else if (inode.isLink) {
      inode.target = byteString(e.target ?? "");
      inode.size = inode.target.length;
    } else if (inode.isDir) {
      inode.size = 4096;
      inode.nlink = 2;
    }
    return inode;
  }
}

function attributes(inode: MemInode, e: ImageEntry): void {
  inode.mode = e.mode;
  inode.uid = e.uid;
  inode.gid = e.gid;
  inode.size = e.size;
  inode.rdev = e.rdev ?? 0;
  inode.atime = inode.mtime = inode.ctime = { sec: Math.floor(e.mtime), nsec: Math.round((e.mtime % 1) * 1e9) };
  if (e.xattrs) {
    inode.xattrs = new Map(Object.entries(e.xattrs).map(([name, value]) => [byteString(name), base64(value)]));
  }
}
