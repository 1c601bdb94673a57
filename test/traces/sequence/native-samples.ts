// What is recorded natively under strace and compared with the emulator's own trace, and how.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NativeRoot } from "../../programs/native.ts";

export const SAMPLES = "data/samples";

const PROGRAMS = "test/fixtures/sequences";

export interface NativeSample {
  readonly name: string;
  /** Debian packages that it needs besides the base root. */
  readonly packages?: readonly string[];
  /** Name of a processor model, where the program needs more than the default one. */
  readonly cpu?: string;
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

const program = (name: string, argv: string[], more: Partial<NativeSample> = {}): NativeSample => ({
  name,
  argv,
  file: `${PROGRAMS}/${name}.strace.gz`,
  ...more,
});

const LICENSES = "/usr/share/common-licenses";

/** The programs that people ask about first, besides those above, each with something to do. */
export const PROGRAM_SAMPLES: readonly NativeSample[] = [
  program("ls", ["ls", "-R", "/usr/share/doc"]),
  program("cp", ["cp", "-a", LICENSES, "/tmp/copy"]),
  program("cat", ["cat", "/etc/passwd", "/etc/group", "/no-such-file"]),
  program("gzip", ["gzip", "-c", "/etc/passwd"]),
  program("tar", ["tar", "-cf", "/tmp/licenses.tar", LICENSES]),
  program("dash", [
    "dash",
    "-c",
    "for i in 1 2 3; do echo $i | cat; done; x=$(ls /etc | wc -l); cd /tmp && pwd; trap 'echo bye' EXIT; [ $x -gt 3 ]",
  ]),
  program(
    "perl",
    [
      "perl",
      "-e",
      "print sort map { $_ * 7 % 11 } 1 .. 10; open F, '/etc/passwd'; print <F>; print `echo child`; mkdir '/tmp/p'",
    ],
    { packages: ["perl-base"] },
  ),
  program(
    "python3",
    [
      "python3",
      "-c",
      "import os; print(os.listdir('/etc'), open('/etc/passwd').read()); os.mkdir('/tmp/d'); os.rmdir('/tmp/d')",
    ],
    { packages: ["python3"] },
  ),
  program("ocaml", ["ocaml", "-version"], { packages: ["ocaml-nox"] }),
  // Its collector starts a thread for each processor that /proc/stat shows.
  program("guile", ["sh", "-c", "GC_NPROCS=1 exec guile --no-auto-compile -c \"(display (map + '(1 2) '(3 4)))\""], {
    packages: ["guile-3.0"],
    cpu: "pentium4",
  }),
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

/** The emulated machine has one processor: programs that start a thread for each do as there. */
const ONE_CPU = ["taskset", "-c", "0"];
const STRACE = ["strace", "-f", "-ttt", "-T", "-i", "-o"];

/** What strace says of a command from its own execve on, and what the command printed. */
export function straced(root: NativeRoot, argv: readonly string[]): { text: string; stdout: string } {
  const folder = mkdtempSync(join(tmpdir(), "kmlab-strace-"));
  try {
    const file = join(folder, "strace");
    writeFileSync(file, "");
    const { stdout } = root.run({ argv: [...argv] }, HOME, [...ONE_CPU, ...STRACE, file]);
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
