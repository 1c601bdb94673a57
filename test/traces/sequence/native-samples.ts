// What is recorded natively under strace and compared with the emulator's own trace, and how.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NativeRoot } from "../../programs/native.ts";

export const SAMPLES = "data/samples";

export interface NativeSample {
  readonly name: string;
  readonly argv: readonly string[];
  /** The recording. */
  readonly file: string;
}

export const NATIVE_SAMPLES: readonly NativeSample[] = [
  {
    name: "find",
    argv: ["find", "/etc", "-type", "f", "-size", "+1k"],
    file: `${SAMPLES}/strace-native-find.txt`,
  },
  {
    name: "bash",
    argv: ["bash", "-c", readFileSync(`${SAMPLES}/native-bash.sh`, "utf8")],
    file: `${SAMPLES}/strace-native-bash.txt`,
  },
  {
    name: "forks",
    argv: ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do expr $i + $i; (cd /etc; echo $i); done | sort -n | tail -2"],
    file: `${SAMPLES}/strace-native-forks.txt`,
  },
];

/** Where a run finds its directories in order, and its home. */
const ORDERED = "/dev/shm";
const HOME = "/root";

/** The root on this host, with its directories in order. Throws InputError where i386 programs do not run. */
export function nativeRoot(imageDirectory: string): NativeRoot {
  const root = new NativeRoot(imageDirectory, ORDERED);
  root.sortDirectories();
  return root;
}

/** What strace says of a command from its own execve on, and what the command printed. */
export function straced(root: NativeRoot, argv: readonly string[]): { text: string; stdout: string } {
  const folder = mkdtempSync(join(tmpdir(), "kmlab-strace-"));
  try {
    const file = join(folder, "strace");
    const { stdout } = root.run({ argv: [...argv] }, HOME, ["strace", "-f", "-ttt", "-T", "-i", "-o", file]);
    const lines = readFileSync(file, "utf8")
      .replaceAll(/nodename="[^"]*"/g, 'nodename="native"')
      .split("\n");
    // chroot and env before the program are not its own: its calls begin at its execve.
    const own = lines.findIndex((line) => new RegExp(`execve\\("[^"]*/${argv[0]}", .* = 0 <`).test(line));
    return { text: lines.slice(own).join("\n"), stdout: String(stdout) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
