// Locks: which packages a root consists of, by version and SHA-256. Text files, one package a line, made to be committed.
import { InputError } from "../../errors.ts";

export interface LockedPackage {
  name: string;
  version: string;
  /** Of the .deb, in hex. */
  sha256: string;
  /** Bytes of the .deb. */
  size: number;
}

export interface Lock {
  /** Names that were asked for; the rest are their dependencies. Sorted. */
  asked: string[];
  /** Everything in the root. Sorted by name. */
  packages: LockedPackage[];
}

const HEAD = `# The Debian packages of a kmlab root: name, version, SHA-256 and bytes of the package file.
# Rewritten by \`kmlab rootfs add --update\`; not meant to be edited.
suite bookworm
architecture i386
`;

/** The text of a lock: the same for the same packages. */
export function formatLock(lock: Lock): string {
  const asked = [...lock.asked].sort().map((name) => `ask ${name}\n`);
  return `${HEAD}${asked.join("")}${lockedLines(lock)}`;
}

/** The lines that decide what is in the root. */
export function lockedLines(lock: Lock): string {
  return [...lock.packages]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((p) => `package ${p.name} ${p.version} ${p.sha256} ${p.size}\n`)
    .join("");
}

/**
 * Reads a lock.
 * @param where the file's name, for errors
 * @throws InputError naming the line that is damaged
 */
export function parseLock(text: string, where: string): Lock {
  const lock: Lock = { asked: [], packages: [] };
  const lines = text.split("\n");
  for (const [i, line] of lines.entries()) {
    const [key, ...words] = line.split(" ");
    const [name, version, sha256, size] = words;
    if (key === "" || key.startsWith("#")) continue;
    if (key === "suite" && name === "bookworm" && words.length === 1) continue;
    if (key === "architecture" && name === "i386" && words.length === 1) continue;
    if (key === "ask" && words.length === 1 && isPackageName(name)) {
      lock.asked.push(name);
    } else if (
      key === "package" &&
      words.length === 4 &&
      isPackageName(name) &&
      /^[0-9a-f]{64}$/.test(sha256) &&
      /^[0-9]+$/.test(size)
    ) {
      lock.packages.push({ name, version, sha256, size: Number(size) });
    } else {
      throw new InputError(
        `${where}, line ${i + 1}: not a line of a lock; restore the file or rewrite it with \`kmlab rootfs add --update\``,
      );
    }
  }
  if (lock.packages.length === 0)
    throw new InputError(`${where}: no packages in it; rewrite it with \`kmlab rootfs add --update\``);
  return lock;
}

/** Whether a word can be the name of a Debian package (Policy 5.6.1). */
export function isPackageName(word: string): boolean {
  return /^[a-z0-9][a-z0-9+.-]+$/.test(word);
}
