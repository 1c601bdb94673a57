// Runs commands in kmlab, in the same place and with the same files as the native runs, and says what they did in the same words.
import { createHash } from "node:crypto";
import { concat, MemoryIo } from "../../src/emu/host.ts";
import type { Dentry, Inode } from "../../src/emu/kernel/fs/inode.ts";
import type { MemInode } from "../../src/emu/kernel/fs/memfs.ts";
import type { Kernel } from "../../src/emu/kernel/kernel.ts";
import type { RootImage } from "../../src/emu/rootfs/image.ts";
import { overlayImage } from "../../src/emu/rootfs/overlay.ts";
import { readTar } from "../../src/emu/rootfs/tar.ts";
import { Tree } from "../../src/emu/rootfs/tree.ts";
import { type RunOptions, runProgram } from "../../src/emu/run.ts";
import type { Case } from "./cases.ts";
import { listingChanges, listingLine } from "./listing.ts";
import { contentHash, type Outcome, outputOf } from "./outcome.ts";
import { WORK, WORK_MTIME } from "./place.ts";

/** The three ways in that every program is run. */
export const WAYS = [
  { name: "ring 3 by int80", ring: 3, entry: "int80" },
  { name: "ring 3 by sysenter", ring: 3, entry: "sysenter" },
  { name: "ring 0", ring: 0, entry: "sysenter" },
] as const satisfies readonly ({ name: string } & Pick<RunOptions, "ring" | "entry">)[];

/** A way in, and how much memory the machine has if it is not the default. */
export type Way = { readonly name: string } & Pick<RunOptions, "ring" | "entry" | "memoryMiB">;

const PAGE_BYTES = 4096;

/** The root with a tar's files in /w. */
export function imageWithFiles(base: RootImage, tar: Uint8Array): RootImage {
  const tree = new Tree();
  tree.addTar(readTar(tar, "test files"));
  tree.get("/")!.mtime = WORK_MTIME;
  return overlayImage(base, WORK, tree, createHash("sha256"));
}

/** The lines of /w as an image has it: what a run starts from. */
export function imageTree(image: RootImage): string[] {
  const links = new Map<string, number>();
  const subdirectories = new Map<string, number>();
  for (const e of image.entries) {
    const first = e.hardlink ?? e.path;
    links.set(first, (links.get(first) ?? 0) + 1);
    if ((e.mode & 0o170000) === 0o040000) {
      const parent = e.path.slice(0, e.path.lastIndexOf("/"));
      subdirectories.set(parent, (subdirectories.get(parent) ?? 0) + 1);
    }
  }
  const lines: string[] = [];
  for (const e of image.entries) {
    if (e.path !== WORK && !e.path.startsWith(`${WORK}/`)) continue;
    const isDirectory = (e.mode & 0o170000) === 0o040000;
    const isFile = (e.mode & 0o170000) === 0o100000;
    const nlink = isDirectory ? 2 + (subdirectories.get(e.path) ?? 0) : links.get(e.hardlink ?? e.path)!;
    const content = e.target ?? (isFile ? contentHash(image.read(e.offset, e.size)) : "");
    lines.push(listingLine({ ...e, path: e.path.slice(WORK.length + 1) || ".", nlink, content }));
  }
  return lines;
}

/** The lines of /w as a machine has it. */
export function kernelTree(kernel: Kernel): string[] {
  const lines: string[] = [];
  const walk = (path: string, dentry: Dentry) => {
    const { mode, uid, gid, nlink, size, mtime } = dentry.inode;
    const content = contentOf(dentry.inode);
    lines.push(listingLine({ path: path === "" ? "." : path, mode, uid, gid, nlink, size, mtime: mtime.sec, content }));
    for (const [name, child] of dentry.children ?? []) {
      const decoded = decode(name);
      walk(path === "" ? decoded : `${path}/${decoded}`, child);
    }
  };
  const work = kernel.vfs.rootMount.root.children!.get(WORK.slice(1));
  if (work) walk("", work);
  return lines;
}

function contentOf(inode: Inode): string {
  if (inode.isLink) return decode((inode as MemInode).target);
  if (!inode.isRegular || !inode.mapping) return "";
  const pages: Uint8Array[] = [];
  for (let i = 0; i * PAGE_BYTES < inode.size; i++) pages.push(inode.mapping.peek(i));
  return contentHash(concat(pages).subarray(0, inode.size));
}

/** Names in the kernel are bytes, one per character. */
function decode(name: string): string {
  return new TextDecoder().decode(Uint8Array.from(name, (c) => c.charCodeAt(0)));
}

/**
 * Runs a command in /w of an image, one of the three ways.
 * @param before the image's lines (`imageTree`)
 * @param attach gets the machine before it runs
 */
export function runGuest(
  image: RootImage,
  before: readonly string[],
  { argv, stdin }: Pick<Case, "argv" | "stdin">,
  way: Way,
  attach?: (kernel: Kernel) => void,
): Outcome {
  const host = new MemoryIo(new TextEncoder().encode(stdin ?? ""));
  const { name: _, ...machine } = way;
  const { status, kernel } = runProgram({ image, argv: [...argv], host, cwd: WORK, ...machine, attach });
  return {
    status,
    stdout: outputOf(concat(host.out)),
    stderr: outputOf(concat(host.err)),
    tree: listingChanges(before, kernelTree(kernel)),
  };
}
