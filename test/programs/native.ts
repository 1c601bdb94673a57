// Runs commands on the host's own kernel, in a chroot made of the root image: what kmlab is compared with. Needs root and an i386-capable kernel.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { imageFromBytes, type RootImage } from "../../src/emu/rootfs/image.ts";
import { openImage } from "../../src/emu/rootfs/image-node.ts";
import { readTar } from "../../src/emu/rootfs/tar.ts";
import { Tree } from "../../src/emu/rootfs/tree.ts";
import { unpackImage } from "../../src/emu/rootfs/unpack-node.ts";
import { InputError } from "../../src/errors.ts";
import type { Case } from "./cases.ts";
import { type ListedFile, listingChanges, listingLine } from "./listing.ts";
import { contentHash, type Outcome, outputOf } from "./outcome.ts";
import { ENVIRONMENT, WORK, WORK_MTIME } from "./place.ts";

const TIME_LIMIT_SECONDS = 60;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Standard streams are pipes, as in kmlab. $1: folder for the streams; the rest: the command. */
const WITH_PIPES = `
d=$1; shift
cat "$d/in" 2>/dev/null | { { "$@" 2>&1 >&4 4>&- | cat > "$d/err"; exit "\${PIPESTATUS[0]}"; } 4>&1 | cat > "$d/out"; exit "\${PIPESTATUS[0]}"; }
exit "\${PIPESTATUS[1]}"`;

/** What a command that is apart has mounted: type and options, place. */
const OWN_MOUNTS: readonly [string, string][] = [
  ["tmpfs -o mode=1777 tmpfs", "/tmp"],
  ["tmpfs -o mode=1777 tmpfs", "/dev/shm"],
  ["devpts -o newinstance,ptmxmode=666 devpts", "/dev/pts"],
];

/** Device nodes that the chroot needs: name, major, minor. */
const DEVICES: readonly [string, number, number][] = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
];

export class NativeRoot {
  readonly folder: string;
  private readonly root: string;
  private readonly streams: string;
  private before: string[] = [];

  /**
   * Unpacks a root image, or the one in a directory, into a temporary folder under `place`.
   * @throws InputError when not root, or i386 programs do not run here
   */
  constructor(from: string | RootImage, place: string = tmpdir()) {
    if (process.getuid?.() !== 0) throw new InputError("native runs need root (chroot, owners); run this as root");
    this.folder = mkdtempSync(join(place, "kmlab-native-"));
    this.root = join(this.folder, "root");
    this.streams = join(this.folder, "streams");
    mkdirSync(this.streams);
    const opened = typeof from === "string" ? openImage(from) : undefined;
    unpackImage(opened ?? (from as RootImage), this.root);
    opened?.close();
    for (const [name, major, minor] of DEVICES)
      this.host("mknod", "-m", "666", join(this.root, "dev", name), "c", `${major}`, `${minor}`);
    this.host("ln", "-s", "/proc/self/fd", join(this.root, "dev/fd"));
    for (const [i, name] of ["stdin", "stdout", "stderr"].entries())
      this.host("ln", "-s", `/proc/self/fd/${i}`, join(this.root, "dev", name));
    if (spawnSync("chroot", [this.root, "/bin/true"]).status !== 0) {
      this.close();
      throw new InputError("this host's kernel does not run i386 programs; native runs need one that does");
    }
  }

  private host(tool: string, ...args: string[]): void {
    const ran = spawnSync(tool, args);
    if (ran.status !== 0)
      throw new InputError(`${tool} ${args.join(" ")}: ${ran.stderr?.toString().trim() ?? ran.error?.message}`);
  }

  /**
   * Makes every directory list its entries by name, as the emulated kernel does. Only a tmpfs lists them by when they came, the newest
   * first; `place` must be one.
   */
  sortDirectories(): void {
    const aside = join(this.folder, "aside");
    const walk = (directory: string): void => {
      for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? 1 : -1))) {
        const path = join(directory, entry.name);
        if (entry.isDirectory()) walk(path);
        const { atime, mtime } = lstatSync(directory);
        renameSync(path, aside);
        renameSync(aside, path);
        utimesSync(directory, atime, mtime);
      }
    };
    walk(this.root);
  }

  /** Fills /w with a tar's files, after removing what was there. Not by the host's tar: it leaves some directories' times to chance. */
  reset(tar: Uint8Array): void {
    const work = join(this.root, WORK);
    rmSync(work, { recursive: true, force: true });
    const tree = new Tree();
    tree.addTar(readTar(tar, "test files"));
    tree.get("/")!.mtime = WORK_MTIME;
    const { digest, entries, pieces, dataBytes } = tree.layOut(createHash("sha256"));
    const data = new Uint8Array(dataBytes);
    for (const piece of pieces) data.set(piece.data, piece.offset);
    unpackImage(imageFromBytes({ digest, entries, packages: [], dataBytes }, data), work);
    this.before = listHostTree(work);
  }

  /** Runs a command in /w or another directory and says what it did. `tracer`: words of a command of the host that runs it. */
  run(command: Pick<Case, "argv" | "stdin">, cwd: string = WORK, tracer: readonly string[] = []): Outcome {
    const { status, out, err } = this.execute(command, { cwd, tracer });
    const work = join(this.root, WORK);
    const tree = existsSync(work) ? listingChanges(this.before, listHostTree(work)) : [];
    return { status, stdout: outputOf(out), stderr: outputOf(err), tree };
  }

  /** Runs a command and gives its status and the whole of what it printed. /proc is mounted and lo is up for it alone. */
  execute(
    { argv, stdin }: Pick<Case, "argv" | "stdin">,
    {
      cwd = WORK,
      tracer = [],
      environment = {},
      seconds = TIME_LIMIT_SECONDS,
      apart = false,
    }: {
      cwd?: string;
      tracer?: readonly string[];
      environment?: Readonly<Record<string, string>>;
      /** After which the command is killed. */
      seconds?: number;
      /** Processes, terminals, /tmp and /dev/shm are its own. */
      apart?: boolean;
    } = {},
  ): { status: number; out: Buffer; err: Buffer } {
    for (const name of ["out", "err"]) rmSync(join(this.streams, name), { force: true });
    writeFileSync(join(this.streams, "in"), stdin ?? "");
    const words = Object.entries({ ...ENVIRONMENT, ...environment }).map(([k, v]) => `${k}=${v}`);
    const chrooted = [...tracer, "chroot", this.root, "/usr/bin/env", "-i", "-C", cwd, ...words, ...argv];
    // As in the emulated machine there is a network of one device, lo, and no route.
    const mounts = apart
      ? OWN_MOUNTS.map(([type, at]) => `mkdir -p ${this.root}${at}; mount -t ${type} ${this.root}${at}; `)
      : [];
    if (apart) mounts.push(`ln -sf pts/ptmx ${this.root}/dev/ptmx; `);
    const mounted = `umask 022; ${mounts.join("")}mount -t proc proc ${this.root}/proc && ip link set lo up && exec "$@"`;
    const ran = spawnSync(
      "setsid",
      ["-w", "bash", "-c", WITH_PIPES, "bash", this.streams, "timeout", "-s", "KILL", `${seconds}`].concat(
        ["unshare", "-m", "-n", ...(apart ? ["-p", "-f", "--kill-child"] : []), "sh", "-c", mounted, "sh"],
        chrooted,
      ),
      { stdio: "ignore", maxBuffer: MAX_OUTPUT_BYTES, env: { PATH: process.env["PATH"] } },
    );
    return {
      status: ran.status ?? 255,
      out: readFileSync(join(this.streams, "out")),
      err: readFileSync(join(this.streams, "err")),
    };
  }

  /** The text of a file of the root. */
  readText(path: string): string {
    return readFileSync(join(this.root, path), "utf8");
  }

  /** Removes everything. */
  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The lines of a directory of the host, "." first. */
export function listHostTree(directory: string): string[] {
  const lines: string[] = [];
  const walk = (path: string) => {
    const host = join(directory, path);
    const st = lstatSync(host);
    const content = st.isSymbolicLink() ? readlinkSync(host) : st.isFile() ? contentHash(readFileSync(host)) : "";
    const { mode, uid, gid, nlink, size } = st;
    const file: ListedFile = {
      path: path === "" ? "." : path,
      mode,
      uid,
      gid,
      nlink,
      size,
      mtime: Math.floor(st.mtimeMs / 1000),
      content,
    };
    lines.push(listingLine(file));
    if (st.isDirectory()) for (const name of readdirSync(host).sort()) walk(path === "" ? name : `${path}/${name}`);
  };
  walk("");
  return lines;
}
