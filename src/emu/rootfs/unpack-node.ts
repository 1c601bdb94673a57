// Writes a root image, or a tar of test files, as a directory of the host: what native oracles are run in.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { InputError } from "../../errors.ts";
import {
  type ImageEntry,
  type RootImage,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "./image.ts";

/**
 * Unpacks an image with its owners, modes and times. Needs root.
 * @throws InputError when not root, or the destination exists
 */
export function unpackImage(image: RootImage, destination: string): void {
  if (process.getuid?.() !== 0) throw new InputError("unpacking a root with its owners needs root; run this as root");
  if (existsSync(destination)) throw new InputError(`${destination}: exists already; name a folder that does not`);
  mkdirSync(destination, { recursive: true });
  for (const e of image.entries) unpackEntry(image, e, destination);
  // Times last: making a file in a directory changes the directory's.
  for (const e of image.entries) lutimesSync(join(destination, e.path), e.mtime, e.mtime);
}

function unpackEntry(image: RootImage, e: ImageEntry, destination: string): void {
  const path = join(destination, e.path);
  const type = e.mode & S_IFMT;
  if (e.hardlink !== undefined) {
    linkSync(join(destination, e.hardlink), path);
    return;
  }
  if (type === S_IFDIR) {
    if (e.path !== "/") mkdirSync(path);
  } else if (type === S_IFLNK) symlinkSync(e.target ?? "", path);
  else if (type === S_IFREG) writeFileSync(path, e.size > 0 ? image.read(e.offset, e.size) : "");
  else makeNode(path, type, e.rdev ?? 0);
  lchownSync(path, e.uid, e.gid);
  if (type !== S_IFLNK) chmodSync(path, e.mode & 0o7777);
}

function makeNode(path: string, type: number, rdev: number): void {
  const letter = type === S_IFIFO ? "p" : type === S_IFCHR ? "c" : type === S_IFBLK ? "b" : undefined;
  if (letter === undefined) return;
  const major = (rdev >>> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
  const args = letter === "p" ? [path, letter] : [path, letter, String(major), String(minor)];
  if (spawnSync("mknod", args).status !== 0)
    throw new InputError(`${path}: the host does not let this device node be made`);
}
