// What Debian's maintainer scripts would have made in a fresh root. They are not run: their effects are stated here, package by package.
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "./image.ts";
import type { Tree } from "./tree.ts";

/** A package as far as its effects depend on it. */
export interface UnpackedPackage {
  name: string;
  /** Text of its postinst, "" if it has none: read for the alternatives it registers. */
  postinst: string;
}

/** Merged /usr: made before anything is unpacked, as debootstrap does. */
const USR_MERGE = ["bin", "sbin", "lib"] as const;

/** Directories that Debian's installer or base-files' script makes: path, mode, group. */
const DIRECTORIES: readonly [string, number, number?][] = [
  ["/dev", 0o755],
  ["/etc", 0o755],
  ["/etc/opt", 0o755],
  ["/home", 0o755],
  ["/media", 0o755],
  ["/mnt", 0o755],
  ["/opt", 0o755],
  ["/proc", 0o555],
  ["/root", 0o700],
  ["/run", 0o755],
  ["/run/lock", 0o1777],
  ["/srv", 0o755],
  ["/sys", 0o555],
  ["/tmp", 0o1777],
  ["/var/cache", 0o755],
  ["/var/lib", 0o755],
  ["/var/local", 0o2775, 50],
  ["/var/log", 0o755],
  ["/var/mail", 0o2775, 8],
  ["/var/opt", 0o755],
  ["/var/spool", 0o755],
  ["/var/tmp", 0o1777],
  ["/usr/local/bin", 0o755],
  ["/usr/local/etc", 0o755],
  ["/usr/local/games", 0o755],
  ["/usr/local/include", 0o755],
  ["/usr/local/lib", 0o755],
  ["/usr/local/sbin", 0o755],
  ["/usr/local/share/man", 0o755],
  ["/usr/local/src", 0o755],
];

/** Links of base-files' script. */
const LINKS: readonly [string, string][] = [
  ["/etc/mtab", "/proc/self/mounts"],
  ["/usr/local/man", "share/man"],
  ["/var/lock", "/run/lock"],
  ["/var/run", "/run"],
  ["/var/spool/mail", "../mail"],
];

/** Files copied from a package's defaults: source, destination, mode. */
const COPIES: readonly [string, string, number][] = [
  ["/usr/share/base-files/dot.profile", "/root/.profile", 0o644],
  ["/usr/share/base-files/dot.bashrc", "/root/.bashrc", 0o644],
  ["/usr/share/base-files/profile", "/etc/profile", 0o644],
  ["/usr/share/base-files/motd", "/etc/motd", 0o644],
  ["/usr/share/base-files/info.dir", "/usr/share/info/dir", 0o644],
  ["/usr/share/base-passwd/passwd.master", "/etc/passwd", 0o644],
  ["/usr/share/base-passwd/group.master", "/etc/group", 0o644],
  ["/usr/share/libc-bin/nsswitch.conf", "/etc/nsswitch.conf", 0o644],
  ["/usr/share/debianutils/shells", "/etc/shells", 0o644],
];

/** Files with fixed text, as the installer writes them: path, mode, group, text. */
const TEXTS: readonly [string, number, number, string][] = [
  ["/etc/fstab", 0o644, 0, "# UNCONFIGURED FSTAB FOR BASE SYSTEM\n"],
  ["/etc/hostname", 0o644, 0, "kml\n"],
  ["/etc/hosts", 0o644, 0, "127.0.0.1\tlocalhost\n127.0.1.1\tkml\n::1\tlocalhost ip6-localhost ip6-loopback\n"],
  ["/etc/resolv.conf", 0o644, 0, ""],
  ["/var/log/btmp", 0o660, 43, ""],
  ["/var/log/lastlog", 0o664, 43, ""],
  ["/var/log/wtmp", 0o664, 43, ""],
];

/** System users that daemons' scripts add, with the first free numbers of Debian's range: package, passwd line, group line. */
const USERS: readonly [string, string, string][] = [
  ["mariadb-server", "mysql:x:100:101:MySQL Server,,,:/nonexistent:/bin/false", "mysql:x:101:"],
  ["mariadb-server-core", "mysql:x:100:101:MySQL Server,,,:/nonexistent:/bin/false", "mysql:x:101:"],
  ["redis-server", "redis:x:102:103::/var/lib/redis:/usr/sbin/nologin", "redis:x:103:"],
];

const encoder = new TextEncoder();

/** To be called before packages are unpacked: links that decide where their files go. */
export function prepareRoot(tree: Tree): void {
  for (const name of USR_MERGE) {
    tree.put(`/usr/${name}`, { mode: S_IFDIR | 0o755, uid: 0, gid: 0, mtime: 0 });
    tree.put(`/${name}`, { mode: S_IFLNK | 0o777, uid: 0, gid: 0, mtime: 0, target: `usr/${name}` });
  }
}

/** To be called when all packages are unpacked: what their scripts would have added, all with the time of the newest file unpacked. */
export function finishRoot(tree: Tree, packages: readonly UnpackedPackage[]): void {
  const mtime = tree.epoch;
  const write = (path: string, mode: number, gid: number, text: string, time = mtime) =>
    tree.put(path, { mode: S_IFREG | mode, uid: 0, gid, mtime: time, data: encoder.encode(text) });
  for (const [path, mode, gid = 0] of DIRECTORIES) {
    if (!tree.get(tree.place(path))) tree.put(path, { mode: S_IFDIR | mode, uid: 0, gid, mtime });
  }
  for (const [path, target] of LINKS) {
    const old = tree.get(path);
    const isEmptyDirectory =
      old && (old.mode & S_IFMT) === S_IFDIR && !tree.paths().some((p) => p.startsWith(`${path}/`));
    if (isEmptyDirectory) tree.delete(path);
    if (!old || isEmptyDirectory) tree.put(path, { mode: S_IFLNK | 0o777, uid: 0, gid: 0, mtime, target });
  }
  for (const [from, to, mode] of COPIES) {
    const source = tree.get(from);
    if (source?.data && !tree.get(to)) {
      tree.put(to, { mode: S_IFREG | mode, uid: 0, gid: 0, mtime: source.mtime, data: source.data });
    }
  }
  for (const [path, mode, gid, text] of TEXTS) if (!tree.get(path)) write(path, mode, gid, text);
  addUsers(tree, packages, write);
  addAlternatives(tree, packages);
  for (const name of [...USR_MERGE.map((n) => `/${n}`), "/"]) {
    const node = tree.get(name);
    if (node && node.mtime === 0) node.mtime = mtime;
  }
}

type Write = (path: string, mode: number, gid: number, text: string, time?: number) => void;

function addUsers(tree: Tree, packages: readonly UnpackedPackage[], write: Write): void {
  const passwd = tree.readText("/etc/passwd");
  const group = tree.readText("/etc/group");
  if (passwd === undefined || group === undefined) return;
  const extra = USERS.filter(([name]) => packages.some((p) => p.name === name));
  const users = `${passwd}${[...new Set(extra.map((u) => `${u[1]}\n`))].join("")}`;
  const groups = `${group}${[...new Set(extra.map((u) => `${u[2]}\n`))].join("")}`;
  if (extra.length > 0) {
    write("/etc/passwd", 0o644, 0, users);
    write("/etc/group", 0o644, 0, groups);
  }
  const names = (text: string) => text.split("\n").flatMap((line) => (line ? [line.split(":")[0]] : []));
  // 19000 days after 1970: a fixed date of the last password change.
  write(
    "/etc/shadow",
    0o640,
    42,
    names(users)
      .map((n) => `${n}:*:19000:0:99999:7:::\n`)
      .join(""),
  );
  write(
    "/etc/gshadow",
    0o640,
    42,
    names(groups)
      .map((n) => `${n}:*::\n`)
      .join(""),
  );
}

/** An alternative as update-alternatives --install registers it. */
export interface Alternative {
  link: string;
  name: string;
  path: string;
  priority: number;
  slaves: { link: string; name: string; path: string }[];
}

/** Reads the alternatives out of a postinst; those with words that a shell would have to expand are left out. */
export function alternativesOf(postinst: string): Alternative[] {
  const found: Alternative[] = [];
  const joined = postinst.replace(/\\\n/g, " ");
  for (const line of joined.split("\n")) {
    const words = line.trim().split(/\s+/);
    const at = words.findIndex((w, i) => w === "--install" && words[i - 1] === "update-alternatives");
    if (at < 0) continue;
    const [link, name, path, priority] = words.slice(at + 1);
    const slaves: Alternative["slaves"] = [];
    for (let i = at + 5; i + 3 < words.length && words[i] === "--slave"; i += 4) {
      slaves.push({ link: words[i + 1], name: words[i + 2], path: words[i + 3] });
    }
    const literal = [link, name, path, priority, ...slaves.flatMap((s) => [s.link, s.name, s.path])];
    if (literal.every((w) => w !== undefined && !/["'$`]/.test(w)) && Number.isInteger(Number(priority))) {
      found.push({ link, name, path, priority: Number(priority), slaves });
    }
  }
  return found;
}

function addAlternatives(tree: Tree, packages: readonly UnpackedPackage[]): void {
  const best = new Map<string, Alternative>();
  for (const p of packages) {
    for (const a of alternativesOf(p.postinst)) {
      const known = best.get(a.name);
      if (tree.get(tree.place(a.path)) && (!known || a.priority > known.priority)) best.set(a.name, a);
    }
  }
  const mtime = tree.epoch;
  const symlink = (path: string, target: string) => {
    if (!tree.get(tree.place(path))) tree.put(path, { mode: S_IFLNK | 0o777, uid: 0, gid: 0, mtime, target });
  };
  for (const a of best.values()) {
    for (const { link, name, path } of [a, ...a.slaves]) {
      if (!tree.get(tree.place(path))) continue;
      symlink(`/etc/alternatives/${name}`, path);
      symlink(link, `/etc/alternatives/${name}`);
    }
  }
}
