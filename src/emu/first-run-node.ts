// What a program leaves behind that the guest runs once before all others, kept in the cache as a layer over the root: Python's byte
// code, which Debian's maintainer scripts make and packages do not contain.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { concat, MemoryIo } from "./host.ts";
import type { Dentry, Inode } from "./kernel/fs/inode.ts";
import { guarded, kmlabFolder } from "./rootfs/folders-node.ts";
import { type RootImage, S_IFDIR, S_IFREG } from "./rootfs/image.ts";
import { type OpenImage, openImage } from "./rootfs/image-node.ts";
import { addLayer } from "./rootfs/layer.ts";
import type { Progress } from "./rootfs/progress.ts";
import { removeLeftovers, storeImage } from "./rootfs/store-node.ts";
import { Tree } from "./rootfs/tree.ts";
import { runProgram } from "./run.ts";

/** Raised when a first run may leave something else behind: layers made before are made again. */
const VERSION = 1;
/** Where what it makes is kept. */
const KEPT = "usr";
const MEMORY_MIB = 512;
const PAGE_BYTES = 4096;

/** The bytes of a regular file of a machine that has ended. */
export function fileBytes(inode: Inode): Uint8Array {
  const pages: Uint8Array[] = [];
  for (let i = 0; i * PAGE_BYTES < inode.size; i++) pages.push(inode.mapping!.peek(i));
  return concat(pages).subarray(0, inode.size);
}

/** The files and directories below a directory that the image does not have. */
function newFiles(image: RootImage, top: Dentry | undefined): Tree {
  const known = new Set(image.entries.map(({ path }) => path));
  const tree = new Tree();
  const walk = (path: string, dentry: Dentry): void => {
    const { inode } = dentry;
    const { mode, uid, gid } = inode;
    if (!known.has(path) && (inode.isDir || inode.isRegular)) {
      const data = inode.isDir ? undefined : fileBytes(inode);
      const type = inode.isDir ? S_IFDIR : S_IFREG;
      tree.put(path, { mode: type | (mode & 0o7777), uid, gid, mtime: inode.mtime.sec, data });
    }
    for (const [name, child] of dentry.children ?? []) walk(`${path}/${name}`, child);
  };
  if (top) walk(`/${KEPT}`, top);
  return tree;
}

function runFirst(base: OpenImage, argv: readonly string[], directory: string): void {
  const host = new MemoryIo();
  const { status, kernel } = runProgram({ image: base, argv: [...argv], host, memoryMiB: MEMORY_MIB });
  if (status !== 0)
    throw new InputError(`${argv.join(" ")}: what the root is prepared by ended with ${status}: ${host.text("err")}`);
  storeImage(newFiles(base, kernel.vfs.rootMount.root.children!.get(KEPT)), directory, []);
}

/**
 * The root as it is after the guest has run a program in it, in ring 3: with the files that it made under /usr.
 * The first to ask runs it; what it made is kept by the root's digest and the words.
 */
export async function afterFirstRun(base: OpenImage, argv: readonly string[], progress?: Progress): Promise<OpenImage> {
  const key = createHash("sha256")
    .update(JSON.stringify([VERSION, base.digest, argv]))
    .digest("hex");
  const folder = kmlabFolder("cache", "layers");
  const directory = join(folder, key.slice(0, 32));
  if (!existsSync(join(directory, "index.json"))) {
    progress?.note?.("preparing the root: once, a minute or more");
    await guarded(folder, async () => {
      removeLeftovers(folder);
      if (!existsSync(join(directory, "index.json"))) runFirst(base, argv, directory);
    });
  }
  const layer = openImage(directory);
  const close = () => {
    layer.close();
    base.close();
  };
  return { ...addLayer(base, layer), directory: base.directory, packages: base.packages, close };
}
