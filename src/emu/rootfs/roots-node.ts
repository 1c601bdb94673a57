// Roots by name: the base set, what the user added, what was imported. Makes an image exist and says where it is.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { InputError } from "../../errors.ts";
import { Apt } from "./apt-node.ts";
import { codeOf, guarded, kmlabFolder } from "./folders-node.ts";
import type { ImageIndex } from "./image.ts";
import { readIndex } from "./image-node.ts";
import { formatLock, isPackageName, type Lock, type LockedPackage, lockedLines, parseLock } from "./lock.ts";
import type { Progress } from "./progress.ts";
import {
  removeLeftovers,
  STORE_VERSION,
  storeImage,
  treeFromDirectory,
  treeFromPackages,
  treeFromTar,
} from "./store-node.ts";

/** Where a root is. */
export interface RootLocation {
  /** "base", a name given by the user, or a directory. */
  name: string;
  /** The image directory, for `openImage`. */
  directory: string;
  /** The image's digest. */
  digest: string;
  /** "name version" of its packages, sorted. */
  packages: string[];
  /** The whole of its index, which opening it need not read again. */
  index: ImageIndex;
}

/** The root that every run has unless told otherwise, and that other sets of packages build on. */
export const BASE = "base";

/** The root that `kmlab rootfs add` adds to unless told otherwise. */
export const ADDED = "added";

const COMMITTED = fileURLToPath(new URL("../../../data/rootfs/", import.meta.url));

/** What is asked for in the base set: the programs of coreutils, the shells, text and archive tools. */
export const BASE_PACKAGES = [
  "base-files",
  "base-passwd",
  "bash",
  "busybox-static",
  "coreutils",
  "dash",
  "diffutils",
  "findutils",
  "grep",
  "gzip",
  "libc-bin",
  "mawk",
  "sed",
  "tar",
] as const;

interface Options {
  progress?: Progress;
  /** Choose the newest versions and write the lock anew. */
  update?: boolean;
}

/** The lock file of a named set: committed with kmlab, or else in the user's state folder. */
function lockFile(name: string): string {
  const committed = join(COMMITTED, `${name}.lock`);
  return existsSync(committed) || name === BASE ? committed : join(kmlabFolder("state", "roots"), `${name}.lock`);
}

function readLock(name: string): Lock | undefined {
  const file = lockFile(name);
  return existsSync(file) ? parseLock(readFileSync(file, "utf8"), file) : undefined;
}

function writeLock(name: string, lock: Lock): void {
  const file = lockFile(name);
  const temporary = `${file}.new-${process.pid}`;
  try {
    writeFileSync(temporary, formatLock(lock));
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new InputError(
      `${file}: cannot be written (${codeOf(error)}); update the lock as the owner of kmlab's folder`,
    );
  }
}

/** Where the image of a lock lies: named by what decides its contents. */
function imageFolder(lock: Lock): string {
  const key = createHash("sha256")
    .update(`${STORE_VERSION}\n${lockedLines(lock)}`)
    .digest("hex");
  return join(kmlabFolder("cache", "roots"), key.slice(0, 32));
}

function locationOf(name: string, directory: string): RootLocation {
  const index = readIndex(directory);
  return { name, directory, digest: index.digest, packages: index.packages, index };
}

/**
 * Makes sure that a root of Debian packages is on this host, and says where.
 * @param what "base", or package names: the base set and these (kept as the root "added" only by `addPackages`)
 * @throws PackagesUnavailable where there is no apt-get or no network; InputError for an unknown package or a vanished version
 */
export async function ensureRoot(what: "base" | readonly string[], options: Options = {}): Promise<RootLocation> {
  if (what === BASE) return ensureNamed(BASE, BASE_PACKAGES, options);
  const base = await baseLock(options);
  const extra = [...new Set(what)].sort().filter((name) => !base.packages.some((p) => p.name === name));
  if (extra.length === 0) return ensureNamed(BASE, BASE_PACKAGES, options);
  const name =
    setNamed(extra) ??
    `with-${extra.join("-").slice(0, 60)}-${createHash("sha256").update(extra.join(" ")).digest("hex").slice(0, 8)}`;
  return ensureNamed(name, extra, options);
}

/** The lock of the base set, which all others build on. It is committed; only a checkout without one makes it here. */
async function baseLock(options: Options): Promise<Lock> {
  if (!readLock(BASE)) await ensureNamed(BASE, BASE_PACKAGES, options);
  return readLock(BASE)!;
}

/** The name of a committed lock that was made for just these packages. */
function setNamed(asked: readonly string[]): string | undefined {
  for (const file of readdirSync(COMMITTED).filter((f) => f.endsWith(".lock"))) {
    const name = basename(file, ".lock");
    if (name !== BASE && readLock(name)?.asked.join(" ") === asked.join(" ")) return name;
  }
  return undefined;
}

/**
 * Adds packages to a named root, keeping what it has; locks what was chosen.
 * @param packages names; none, with `update`: newest versions for those there are
 * @param options.name the root; default "added"
 */
export async function addPackages(
  packages: readonly string[],
  options: Options & { name?: string } = {},
): Promise<RootLocation> {
  const wrong = packages.find((p) => !isPackageName(p));
  if (wrong !== undefined) throw new InputError(`${wrong}: not a package name; see \`kmlab rootfs add --help\``);
  if (packages.length === 0) return updateAll(options);
  const base = await baseLock(options);
  const isBase = packages.every((p) => base.packages.some((b) => b.name === p));
  const name = options.name ?? (isBase && (options.update || !readLock(ADDED)) ? BASE : ADDED);
  if (name === BASE) {
    const elsewhere = packages.find((p) => !base.packages.some((b) => b.name === p));
    if (elsewhere !== undefined) throw new InputError(`${elsewhere}: the base set is fixed; choose another --name`);
    return ensureNamed(BASE, BASE_PACKAGES, options);
  }
  checkName(name);
  const asked = new Set([...(readLock(name)?.asked ?? []), ...packages]);
  for (const p of base.asked) asked.delete(p);
  return ensureNamed(name, [...asked].sort(), options);
}

/** Locks the newest versions of everything that runs use by default: the base set, and what was added to it. */
async function updateAll(options: Options & { name?: string }): Promise<RootLocation> {
  if (!options.update)
    throw new InputError("name the packages to add, or give --update to lock the newest versions of those there are");
  const name = options.name ?? (readLock(ADDED) ? ADDED : BASE);
  const asked = name === BASE ? BASE_PACKAGES : readLock(name)?.asked;
  if (asked === undefined)
    throw new InputError(`${name}: no such root of packages; \`kmlab rootfs list\` shows what there is`);
  if (name !== BASE && options.name === undefined) await ensureNamed(BASE, BASE_PACKAGES, options);
  return ensureNamed(name, asked, options);
}

function checkName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(name))
    throw new InputError(`${name}: a root's name is letters, digits and . _ + -`);
}

async function ensureNamed(name: string, asked: readonly string[], options: Options): Promise<RootLocation> {
  const known = readLock(name);
  const isSame =
    known !== undefined && asked.every((p) => known.asked.includes(p)) && known.asked.length === asked.length;
  if (isSame && !options.update) {
    const directory = imageFolder(known);
    if (existsSync(join(directory, "index.json"))) return locationOf(name, directory);
  }
  const folder = kmlabFolder("cache", "roots");
  const onWait = (pid: number) =>
    options.progress?.note?.(`waiting for another kmlab (process ${pid}) that is filling ${folder}`);
  return guarded(
    folder,
    async () => {
      removeLeftovers(folder);
      const lock = isSame && !options.update ? known : await resolveSet(name, asked, known, options);
      const directory = imageFolder(lock);
      if (!existsSync(join(directory, "index.json"))) await makeImage(lock, directory, options.progress);
      if (lock !== known) writeLock(name, lock);
      return locationOf(name, directory);
    },
    onWait,
  );
}

/** Chooses versions: those of the base set and of the old lock are kept, unless all is to be updated. */
async function resolveSet(
  name: string,
  asked: readonly string[],
  known: Lock | undefined,
  options: Options,
): Promise<Lock> {
  const apt = new Apt();
  await apt.update(options.update === true, options.progress);
  const pinned = new Map<string, string>();
  if (name !== BASE) {
    const { packages } = readLock(BASE) ?? { packages: [] };
    for (const p of packages) pinned.set(p.name, p.version);
  }
  if (known && !options.update) for (const p of known.packages) pinned.set(p.name, p.version);
  const packages = await apt.resolve(asked, pinned);
  return { asked: [...asked].sort(), packages: packages.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

async function makeImage(lock: Lock, directory: string, progress?: Progress): Promise<void> {
  const debs = kmlabFolder("cache", "packages");
  const fileOf = (p: LockedPackage) => join(debs, `${p.name}-${p.sha256.slice(0, 16)}.deb`);
  const missing = lock.packages.filter((p) => !existsSync(fileOf(p)) || hashOf(fileOf(p)) !== p.sha256);
  if (missing.length > 0) {
    const incoming = join(debs, "incoming");
    mkdirSync(incoming, { recursive: true });
    const files = await new Apt().download(missing, incoming, progress);
    for (const p of missing) {
      const file = files.get(p.name)!;
      checkPackage(p, file);
      renameSync(file, fileOf(p));
    }
    rmSync(incoming, { recursive: true, force: true });
  }
  const tree = treeFromPackages(
    lock.packages.map((p) => ({ name: p.name, file: fileOf(p) })),
    progress,
  );
  storeImage(
    tree,
    directory,
    lock.packages.map((p) => `${p.name} ${p.version}`),
  );
}

function hashOf(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/** Compares a fetched package file with its lock; a wrong one is removed. */
function checkPackage(p: LockedPackage, file: string): void {
  const found = hashOf(file);
  if (found === p.sha256) return;
  rmSync(file, { force: true });
  throw new InputError(
    `${p.name} ${p.version}: the mirror's file has SHA-256 ${found.slice(0, 16)}..., the lock says ${p.sha256.slice(0, 16)}...; \`kmlab rootfs add --update\` locks what it offers now`,
  );
}

/** Makes an image from a host directory or a tar file, under a name. */
export async function importRoot(from: string, name: string): Promise<RootLocation> {
  checkName(name);
  if (name === BASE || existsSync(lockFile(name)))
    throw new InputError(`${name}: the name of a root of packages; choose another with --name`);
  if (!existsSync(from)) throw new InputError(`${from}: no such file or directory`);
  const folder = kmlabFolder("cache", "imported");
  return guarded(folder, async () => {
    removeLeftovers(folder);
    const tree = statSync(from).isDirectory() ? treeFromDirectory(from) : treeFromTar(from);
    const directory = join(folder, name);
    storeImage(tree, directory, []);
    return locationOf(name, directory);
  });
}

/**
 * The root that a run uses.
 * @param root a name, an image directory, or undefined: what the user added, or else the base set
 */
export async function rootFor(root: string | undefined, options: Options = {}): Promise<RootLocation> {
  const name = root ?? (readLock(ADDED) ? ADDED : BASE);
  if (name === BASE) return ensureRoot(BASE, options);
  if (!name.includes("/")) {
    const lock = readLock(name);
    if (lock) return ensureNamed(name, lock.asked, options);
    const imported = join(kmlabFolder("cache", "imported"), name);
    if (existsSync(join(imported, "index.json"))) return locationOf(name, imported);
  }
  if (existsSync(join(name, "index.json"))) return locationOf(name, resolve(name));
  if (existsSync(name))
    throw new InputError(`${name}: not a root image; \`kmlab rootfs import ${name}\` makes one of it`);
  throw new InputError(`${name}: no such root; \`kmlab rootfs list\` shows what there is`);
}

/** A root as `kmlab rootfs list` shows it. */
export interface ListedRoot {
  name: string;
  kind: "packages" | "imported";
  packages: number;
  /** Undefined as long as the image has not been made here. */
  directory?: string;
  entries?: number;
  bytes?: number;
  digest?: string;
}

/** All roots known here, by name. */
export function listRoots(): ListedRoot[] {
  const state = kmlabFolder("state", "roots");
  const names = new Set([BASE]);
  for (const folder of [COMMITTED, state]) {
    for (const file of readdirSync(folder)) if (file.endsWith(".lock")) names.add(basename(file, ".lock"));
  }
  const roots: ListedRoot[] = [];
  for (const name of [...names].sort()) {
    const lock = readLock(name);
    const at = lock && imageFolder(lock);
    const made = at !== undefined && existsSync(join(at, "index.json"));
    roots.push({ name, kind: "packages", packages: lock?.packages.length ?? 0, ...(made ? sizesOf(at) : {}) });
  }
  const imported = kmlabFolder("cache", "imported");
  for (const name of readdirSync(imported).sort()) {
    const at = join(imported, name);
    if (existsSync(join(at, "index.json"))) roots.push({ name, kind: "imported", packages: 0, ...sizesOf(at) });
  }
  return roots;
}

function sizesOf(directory: string): Pick<ListedRoot, "directory" | "entries" | "bytes" | "digest"> {
  const { entries, dataBytes, digest } = readIndex(directory);
  return { directory, entries: entries.length, bytes: dataBytes, digest };
}
