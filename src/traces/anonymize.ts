// A trace without the names of whoever made it: paths, arguments and names replaced, the same one by the same everywhere; all numbers stay.
import type { Hasher } from "../sha256.ts";
import type { Trace } from "./trace.ts";

/**
 * Parts of paths that say nothing of anybody: the folders that the Filesystem Hierarchy Standard names, what every program of the
 * system opens, and devices. They stay; so do "." and "..".
 */
const PUBLIC: ReadonlySet<string> = new Set(
  (
    ". .. bin boot dev etc home include lib lib32 lib64 libexec local media mnt opt proc root run sbin share src srv sys tmp usr var " +
    "cache i386-linux-gnu x86_64-linux-gnu locale log ld.so.cache ld.so.preload ld-linux.so.2 ld-linux-x86-64.so.2 libc.so.6 " +
    "null zero full random urandom tty fd self stdin stdout stderr trusted"
  ).split(" "),
);

/** Labels of what has no name but a kind and a number: pipe:[7], anon_inode:[eventpoll]. */
const KINDS_ONLY = /^(pipe|socket):\[\d+\]$|^anon_inode:\[?[a-z_]+\]?$/;

/** Digits of replacements; 50 bits of them. */
const DIGITS = "abcdefghijklmnopqrstuvwxyz234567";
const LENGTH = 10;

/** Gives every name its replacement: the same key and name, the same replacement, in every trace. */
export class Replacements {
  readonly #key: string;
  readonly #hasher: () => Hasher;
  readonly #of = new Map<string, string>();
  readonly #taken = new Set<string>();

  constructor(key: string, hasher: () => Hasher) {
    this.#key = key;
    this.#hasher = hasher;
  }

  /** One name, as "libfoo.so" or "-v"; what is public stays. */
  name(name: string): string {
    if (name === "" || PUBLIC.has(name)) return name;
    let found = this.#of.get(name);
    if (found === undefined) {
      for (let attempt = 0; found === undefined || this.#taken.has(found); attempt++) found = this.#hash(name, attempt);
      this.#of.set(name, found);
      this.#taken.add(found);
    }
    return found;
  }

  #hash(name: string, attempt: number): string {
    const hasher = this.#hasher();
    // The key's length keeps a key and a name apart.
    hasher.update(new TextEncoder().encode(`${this.#key.length}:${this.#key}:${attempt}:${name}`));
    const bits = BigInt(`0x${hasher.hex().slice(0, 16)}`);
    return Array.from({ length: LENGTH }, (_, digit) => DIGITS[Number((bits >> BigInt(5 * digit)) & 31n)]).join("");
  }

  /** A path, a command or any other text: each part between slashes and blanks for itself, so that depth and order remain. */
  text(text: string): string {
    return KINDS_ONLY.test(text) ? text : text.replace(/[^\s/]+/g, (name) => this.name(name));
  }

  /**
   * Arguments of a call as a tracer prints them: what stands in quotes, in <> behind a descriptor, or has a slash is text; numbers,
   * constants in capitals and names of fields stay.
   */
  arguments(text: string): string {
    return text.replace(ARGUMENT, (word, quoted?: string, path?: string, target?: string, field?: string) => {
      if (quoted !== undefined) return `"${this.text(unquoted(quoted))}"`;
      if (target !== undefined) return `<${this.text(target)}>`;
      if (path !== undefined) return this.text(path);
      if (field !== undefined || CONSTANT.test(word)) return word;
      return this.name(word);
    });
  }
}

/** "quoted", a/path, <target>, field= or call(, and any other word. */
const ARGUMENT =
  /"((?:[^"\\]|\\.)*)"|((?:[^\s"<>{}()[\],=|]*\/)[^\s"<>{}()[\],=|]+)|<([^>]*)>|([a-z_][a-z0-9_]*(?=[=(]))|[^\s"<>{}()[\],=|/*]+/g;

/** Numbers, signs, and constants as O_RDONLY, SIGCHLD. */
const CONSTANT = /^[~&+-]*(?:0x[0-9a-f]+|[0-9.]+|[A-Z][A-Z0-9]*(?:_[A-Z0-9_]+)?|\.\.\.|[^\p{L}\p{N}]+)$/u;

/** A string without its escapes, of which none may remain to tell what was there. */
function unquoted(text: string): string {
  return text.replace(/\\(?:[0-7]{1,3}|x[0-9a-fA-F]{2}|.)/g, " ");
}

/** A trace with every name replaced. Columns that the schema does not know are left out: nobody knows what is in them. */
export function anonymize(trace: Trace, names: Replacements): Trace {
  const text = (value: string | null): string | null => (value === null ? null : names.text(value));
  const { extra: _, ...known } = trace;
  return {
    ...known,
    meta: {
      ...trace.meta,
      id: "",
      argv: trace.meta.argv.map((word) => names.text(word)),
      inputs: Object.fromEntries(
        Object.entries(trace.meta.inputs).map(([name, digest]) => [names.text(name), names.name(digest)]),
      ),
      root: text(trace.meta.root),
    },
    tasks: trace.tasks.map((task) => ({ ...task, comm: text(task.comm), exe: text(task.exe) })),
    execs: trace.execs.map((exec) => ({ ...exec, exe: text(exec.exe) })),
    objects: trace.objects.map((object) => ({ ...object, label: text(object.label) })),
    args: new Map([...trace.args].map(([seq, words]) => [seq, names.arguments(words)])),
  };
}
