// Writes image directories: from Debian packages, a host directory or a tar. Every write goes to a temporary name first.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { CheckFailed, InputError } from "../../errors.ts";
import { codeOf } from "./folders-node.ts";
import { entryText, formatIndex, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "./image.ts";
import { openImage } from "./image-node.ts";
import { finishRoot, prepareRoot, type UnpackedPackage } from "./maintainer.ts";
import type { Progress } from "./progress.ts";
import { readTar } from "./tar.ts";
import { Tree, type TreeNode } from "./tree.ts";

/** Raised when the rules by which a root is made change: images made by other rules are made again. */
export const STORE_VERSION = 1;

/** The largest output of a host's unpacker that is taken: a bound against damaged archives. */
const MAX_UNPACKED_BYTES = 2 ** 31 - 1;

/** Runs a host tool and returns what it prints. */
function outputOf(tool: string, args: string[], input?: Uint8Array): Uint8Array {
  const ran = spawnSync(tool, args, { input, maxBuffer: MAX_UNPACKED_BYTES, stdio: ["pipe", "pipe", "pipe"] });
  if (ran.error) {
    const why = codeOf(ran.error) === "ENOENT" ? "is not on this host; install it" : `failed (${codeOf(ran.error)})`;
    throw new InputError(`${tool} ${why}`);
  }
  if (ran.status !== 0) {
    const reason = ran.stderr.toString().trim().split("\n")[0];
    throw new InputError(`${tool} ${args.join(" ")}: ${reason || `status ${ran.status}`}`);
  }
  return ran.stdout;
}

/** Lays out a root from Debian package files, in the order given, with what their maintainer scripts would have made. */
export function treeFromPackages(debs: readonly { name: string; file: string }[], progress?: Progress): Tree {
  const tree = new Tree();
  prepareRoot(tree);
  const unpacked: UnpackedPackage[] = [];
  progress?.begin("unpacking", debs.length);
  for (const [i, { name, file }] of debs.entries()) {
    tree.addTar(readTar(outputOf("dpkg-deb", ["--fsys-tarfile", file]), file));
    let postinst = "";
    for (const e of readTar(outputOf("dpkg-deb", ["--ctrl-tarfile", file]), file)) {
      if (e.path.replace(/^\.\//, "") === "postinst") postinst = new TextDecoder().decode(e.data);
    }
    unpacked.push({ name, postinst });
    progress?.at(i + 1);
  }
  progress?.end();
  finishRoot(tree, unpacked);
  return tree;
}

/** Lays out a root from a tar file, plain or compressed (gzip here; xz, bzip2, zstd by the host's tool). */
export function treeFromTar(file: string): Tree {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new InputError(`${file}: cannot be read (${codeOf(error)})`);
  }
  const starts = (...magic: number[]) => magic.every((b, i) => bytes[i] === b);
  if (starts(0x1f, 0x8b)) {
    try {
      bytes = gunzipSync(bytes);
    } catch (error) {
      throw new InputError(`${file}: damaged gzip data (${codeOf(error)})`);
    }
  } else if (starts(0xfd, 0x37, 0x7a, 0x58)) bytes = outputOf("xz", ["-dc"], bytes);
  else if (starts(0x42, 0x5a, 0x68)) bytes = outputOf("bzip2", ["-dc"], bytes);
  else if (starts(0x28, 0xb5, 0x2f, 0xfd)) bytes = outputOf("zstd", ["-dcq"], bytes);
  const tree = new Tree();
  for (const e of readTar(bytes, file)) {
    if (`/${e.path}/`.includes("/../"))
      throw new InputError(`${file}: ${e.path}: a name with .. in it; the archive is not a root`);
    tree.addTar([e]);
  }
  return tree;
}

/** Lays out a root from a directory of the host: names, owners, modes and times as they are there. Sockets are left out. */
export function treeFromDirectory(directory: string): Tree {
  const tree = new Tree();
  const byInode = new Map<string, string>();
  const walk = (path: string): void => {
    const host = join(directory, path);
    const st = lstatSync(host);
    const type = st.mode & S_IFMT;
    if (type === S_IFSOCK) return;
    const guest = path === "" ? "/" : path;
    const inode = `${st.dev}:${st.ino}`;
    const known = byInode.get(inode);
    if (type !== S_IFDIR && st.nlink > 1 && known !== undefined) {
      tree.link(guest, known);
      return;
    }
    byInode.set(inode, guest);
    const node: TreeNode = { mode: st.mode, uid: st.uid, gid: st.gid, mtime: Math.floor(st.mtimeMs / 1000) };
    if (type === S_IFLNK) node.target = readlinkSync(host);
    else if (type === S_IFREG) node.data = readFileSync(host);
    else if (type !== S_IFDIR) node.rdev = st.rdev;
    tree.put(guest, node);
    if (type === S_IFDIR) for (const name of readdirSync(host).sort()) walk(`${path}/${name}`);
  };
  try {
    if (!lstatSync(`${directory}/`).isDirectory()) throw new InputError(`${directory}: not a directory`);
    walk("");
  } catch (error) {
    if (error instanceof InputError) throw error;
    const e = error as NodeJS.ErrnoException;
    throw new InputError(`${e.path ?? directory}: cannot be read (${codeOf(error)}); import as its owner or as root`);
  }
  return tree;
}

/**
 * Writes a tree as an image directory, replacing what is there. A run that is interrupted leaves only a temporary name beside it.
 * @param packages "name version" of what is in it
 */
export function storeImage(tree: Tree, directory: string, packages: readonly string[]): void {
  const laidOut = tree.layOut(createHash("sha256"));
  const temporary = `${directory}.new-${process.pid}`;
  rmSync(temporary, { recursive: true, force: true });
  try {
    mkdirSync(temporary, { recursive: true });
    const fd = openSync(join(temporary, "data.bin"), "w");
    try {
      for (const { offset, data } of laidOut.pieces) {
        for (let done = 0; done < data.length; ) done += writeSync(fd, data, done, data.length - done, offset + done);
      }
    } finally {
      closeSync(fd);
    }
    const index = {
      digest: laidOut.digest,
      entries: laidOut.entries,
      packages: [...packages],
      dataBytes: laidOut.dataBytes,
    };
    writeFileSync(join(temporary, "index.json"), formatIndex(index));
    const old = `${directory}.old-${process.pid}`;
    if (existsSync(directory)) renameSync(directory, old);
    renameSync(temporary, directory);
    rmSync(old, { recursive: true, force: true });
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw new InputError(
      `${directory}: cannot be written (${codeOf(error)}); free space or set XDG_CACHE_HOME to another folder`,
    );
  }
}

/** Removes what interrupted runs left in a folder of images. To be called by whoever holds the folder's guard. */
export function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (/\.(new|old)-\d+$/.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/**
 * Computes an image's digest anew.
 * @throws CheckFailed if the contents are not those the image was made with
 */
export function verifyImage(directory: string): { digest: string; entries: number } {
  const image = openImage(directory);
  try {
    const hash = createHash("sha256");
    for (const e of image.entries) hash.update(`${entryText(e)}\n`);
    for (const e of image.entries) {
      if (e.size > 0 && (e.mode & S_IFMT) === S_IFREG && e.hardlink === undefined)
        hash.update(image.read(e.offset, e.size));
    }
    if (hash.digest("hex") !== image.digest) {
      throw new CheckFailed(
        `${directory}: contents differ from the image's digest; remove the folder, it will be made again`,
      );
    }
    return { digest: image.digest, entries: image.entries.length };
  } finally {
    image.close();
  }
}
