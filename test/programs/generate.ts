// biome-ignore-all lint/suspicious/noTemplateCurlyInString: shell text
// From a seed: a tree of files and a shell script over it. What the script does must not depend on the order of a directory, on time, or on processes.
import type { TarInput } from "../../src/emu/rootfs/tar.ts";
import { Random } from "./random.ts";
import { line, lines, WORDS } from "./words.ts";

/** One step of a pipeline: shell words, each deletable when a failure is shrunk (the first is the program). */
export type Step = readonly string[];

/** Steps joined by pipes; `join` says how the next statement is attached (";", "&&", "||", "&"). */
export interface Statement {
  steps: readonly Step[];
  join: string;
}

/** What a seed means. */
export interface Trial {
  shell: "sh" | "bash" | "busybox sh";
  members: TarInput[];
  statements: Statement[];
}

/**
 * The script's text. In a pipeline only the last step's errors are kept: those of the others mix with them, and a writer
 * whose reader has ended may or may not get to say what it wanted.
 */
export function scriptOf(trial: Trial): string {
  return trial.statements
    .map((s, i) => {
      const text = s.steps
        .map((step, n) => step.join(" ") + (n < s.steps.length - 1 ? " 2> /dev/null" : ""))
        .join(" | ");
      const last = i === trial.statements.length - 1;
      return text + (last ? "" : s.join === "&" ? " & wait\n" : s.join === ";" ? "\n" : ` ${s.join}\n`);
    })
    .join("");
}

/** The command of a trial. */
export function argvOf(trial: Trial): string[] {
  return [...trial.shell.split(" "), "-c", scriptOf(trial)];
}

/** The trial of a seed. */
export function trialOf(seed: number): Trial {
  return new Generator(new Random(seed)).trial();
}

const quote = (word: string) => (/^[A-Za-z0-9_./:=,+%@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** Old enough for `ls -l` to print years; see listing.ts. */
const FIRST_TIME = 1_000_000_000;
const TIME_SPAN = 400_000_000;

class Generator {
  private readonly random: Random;
  private readonly texts: string[] = [];
  private readonly binaries: string[] = [];
  private readonly directories: string[] = ["t"];
  private readonly links: string[] = [];
  /** Files were changed: their times are "now", and must not be printed. */
  private changed = false;

  constructor(random: Random) {
    this.random = random;
  }

  trial(): Trial {
    const members = this.tree();
    const shell = this.random.pick(["sh", "sh", "bash", "bash", "busybox sh"] as const);
    const statements: Statement[] = [];
    for (let n = this.random.between(1, 4); n > 0; n--) {
      const join = this.random.pick([";", ";", ";", "&&", "||", "&"]);
      statements.push({ steps: this.statement(), join });
    }
    return { shell, members, statements };
  }

  private tree(): TarInput[] {
    const r = this.random;
    const members: TarInput[] = [];
    const time = () => FIRST_TIME + r.below(TIME_SPAN);
    const owner = () => (r.oneIn(4) ? { uid: r.pick([0, 1000, 33]), gid: r.pick([0, 50, 1000]) } : {});
    members.push({ path: "t", type: "directory", mtime: time() });
    const encoder = new TextEncoder();
    for (let n = r.between(4, 18), i = 0; i < n; i++) {
      const directory = r.pick(this.directories);
      const path = `${directory}/${r.pick(WORDS)}${r.pick(["", "", ".txt", ".c", "-1", " x", "_y"])}${i}`;
      const kind = i < 2 ? 4 : r.below(10);
      if (kind < 2) {
        members.push({ path, type: "directory", mode: r.pick([0o755, 0o700, 0o1777]), mtime: time(), ...owner() });
        this.directories.push(path);
      } else if (kind === 2) {
        const target = r.pick([...this.texts.map((t) => `/w/${t}`), "nowhere"]);
        members.push({ path, type: "symlink", link: target, mtime: time() });
        this.links.push(path);
      } else if (kind === 3 && this.texts.length > 0) {
        members.push({ path, type: "hardlink", link: r.pick(this.texts) });
        this.texts.push(path);
      } else if (kind < 8) {
        const data = encoder.encode(this.text());
        members.push({ path, data, mode: r.pick([0o644, 0o644, 0o600, 0o755, 0o444]), mtime: time(), ...owner() });
        this.texts.push(path);
      } else {
        const size = r.pick([0, 1, 100, 4095, 4096, 4097, r.below(20_000)]);
        members.push({ path, data: r.bytes(size), mtime: time(), ...owner() });
        this.binaries.push(path);
      }
    }
    return members;
  }

  private text(): string {
    const r = this.random;
    const rows = r.between(1, 60);
    switch (r.below(4)) {
      case 0:
        return Array.from({ length: rows }, () => `${r.below(2000) - 1000}\n`).join("");
      case 1:
        return Array.from({ length: rows }, (_, i) => `${i % 7},${r.pick(WORDS)},${r.below(100)}\n`).join("");
      case 2:
        return line(r, 30);
      default:
        return lines(r, rows);
    }
  }

  private file(): string {
    const r = this.random;
    if (r.oneIn(25)) return "t/no-such-file";
    if (r.oneIn(25)) return quote(r.pick(this.directories));
    return quote(r.pick(r.oneIn(5) && this.binaries.length > 0 ? this.binaries : this.texts));
  }

  private files(atMost = 3): string[] {
    return Array.from({ length: this.random.between(1, atMost) }, () => this.file());
  }

  private directory(): string {
    return quote(this.random.pick(this.directories));
  }

  private word(): string {
    return this.random.pick(WORDS);
  }

  private options(of: readonly string[], atMost = 3): string[] {
    return this.random.some(of, atMost);
  }

  private number(): string {
    return String(this.random.pick([0, 1, 2, 3, 5, 7, 10, 20, 100]));
  }

  private statement(): Step[] {
    const r = this.random;
    if (r.oneIn(4)) {
      const step = this.compound();
      this.changed = true;
      return [step];
    }
    if (r.oneIn(4)) {
      const step = this.change();
      this.changed = true;
      return [step];
    }
    const steps: Step[] = [...this.source()];
    for (let n = r.below(4); n > 0; n--) steps.push(this.filter());
    if (r.oneIn(8)) {
      steps.push(["tee", `out${r.below(3)}`]);
      this.changed = true;
    }
    return steps;
  }

  /** Steps that need no input. */
  private source(): Step[] {
    const r = this.random;
    const sources: (() => Step[])[] = [
      () => [["cat", ...this.options(["-n", "-A", "-s", "-b", "-E", "-T", "-v"]), ...this.files()]],
      () => [
        [
          r.pick(["head", "tail"]),
          r.pick(["-n", "-c"]),
          this.number(),
          ...this.options(["-q", "-v"], 1),
          ...this.files(),
        ],
      ],
      () => [this.ls()],
      () => [this.ls()],
      () => this.find(),
      () => this.find(),
      () => [["grep", ...this.grepOptions(), this.pattern(), ...this.files()]],
      () => [
        ["grep", "-r", ...this.options(["-l", "-c", "-n", "-i", "-w"], 2), this.pattern(), this.directory()],
        ["sort"],
      ],
      () => [["sed", ...this.sedWords(), ...this.files()]],
      () => [["awk", ...this.awkWords(), ...this.files(2)]],
      () => [["sort", ...this.sortOptions(), ...this.files()]],
      () => [["wc", ...this.options(["-l", "-w", "-c", "-m", "-L"]), ...this.files()]],
      () => [["cut", ...this.cutWords(), ...this.files()]],
      () => [["diff", ...this.diffOptions(), this.file(), this.file()]],
      () => [["cmp", ...this.options(["-l", "-b", "-s"], 1), this.file(), this.file()]],
      () => [
        [
          "od",
          "-A",
          r.pick(["d", "o", "x", "n"]),
          "-t",
          r.pick(["x1", "o2", "c", "a", "d4", "x2z"]),
          "-N",
          this.number(),
          this.file(),
        ],
      ],
      () => [[r.pick(["md5sum", "sha1sum", "sha256sum", "cksum", "b2sum", "sum"]), ...this.files()]],
      () => [["stat", "-c", quote(this.statFormat()), ...this.files()]],
      () => [["seq", ...this.options(["-w", "-s,"], 1), this.number(), this.number(), "30"]],
      () => [
        [
          "printf",
          quote(r.pick(["%s\\n", "%5s|\\n", "%-8s|%s\\n", "%d %x\\n"])),
          ...(r.oneIn(2)
            ? [this.number(), this.number()]
            : [this.number(), this.number(), this.number(), this.number()]),
        ],
      ],
      () => [["paste", ...this.options(["-s", "-d,", "-d:;"], 2), ...this.files(2)]],
      () => [["comm", ...this.options(["-1", "-2", "-3", "--nocheck-order"], 2), this.file(), this.file()]],
      () => [["nl", ...this.options(["-ba", "-nrz", "-w3", "-s:"], 2), ...this.files(2)]],
      () => [["fold", ...this.options(["-s", "-w20", "-b"], 2), ...this.files(2)]],
      () => [["tac", ...this.files(2)]],
      () => [["du", "-abl", ...this.options(["-c", "--max-depth=1"], 2), this.directory()], ["sort"]],
      () => [
        ["tar", "--sort=name", "-cf", "-", ...this.options(["--exclude=*.txt", "--no-recursion"], 1), this.directory()],
        ["tar", this.changed ? "-tf" : "-tvf", "-"],
      ],
      () => [
        ["gzip", "-nc", ...this.options(["-1", "-9"], 1), this.file()],
        ["gzip", "-dc"],
      ],
      () => [["base64", ...this.options(["-w0", "-w20"], 1), this.file()], ...(r.oneIn(2) ? [["base64", "-d"]] : [])],
      () => [["readlink", ...this.options(["-f", "-e", "-m", "-n"], 1), quote(r.pick([...this.links, ...this.texts]))]],
      () => [["basename", quote(r.pick(this.texts)), ".txt"]],
      () => [["date", "-u", "-d", `@${r.below(2_000_000_000)}`, quote("+%F %T %a %j %s")]],
      () => [["expr", this.number(), r.pick(["+", "-", "'*'", "/", "%", "'<'", "="]), this.number()]],
      () => [["factor", String(r.below(1_000_000)), String(r.below(100))]],
      () => [["numfmt", r.pick(["--to=iec", "--to=si", "--grouping"]), String(r.below(10_000_000))]],
      () => [["shuf", `--random-source=${quote(r.pick(this.texts))}`, "-n", "3", "-i", "1-9"]],
      () => [["busybox", ...this.busyboxWords()]],
      () => [["busybox", ...this.busyboxWords()]],
    ];
    return r.pick(sources)();
  }

  private ls(): Step {
    const timeless = [
      "-1",
      "-a",
      "-A",
      "-R",
      "-r",
      "-S",
      "-F",
      "-p",
      "-Q",
      "-b",
      "-m",
      "-x",
      "-C",
      "-X",
      "-v",
      "-w40",
      "-d",
      "-B",
      "--color=always",
      "--group-directories-first",
      "-s",
    ];
    const timed = [
      "-l",
      "-n",
      "-g",
      "-o",
      "-lh",
      "-lL",
      "-t",
      "--full-time",
      "-lk",
      "-lG",
      "--time-style=long-iso",
      "-l",
    ];
    const targets = this.random.oneIn(3)
      ? [this.directory(), quote(this.random.pick([...this.texts, ...this.links]))]
      : [this.directory()];
    return ["ls", ...this.options(this.changed ? timeless : [...timeless, ...timed], 4), ...targets];
  }

  private find(): Step[] {
    const r = this.random;
    const tests: (() => string[])[] = [
      () => ["-type", r.pick(["f", "d", "l", "f,l"])],
      () => ["-name", quote(r.pick(["*.txt", "*1*", "[a-f]*", "*.c", "?*0*"]))],
      () => ["-size", r.pick(["+0", "-2", "+1k", "-4096c", "1", "+4k"])],
      () => ["-perm", r.pick(["-100", "/022", "644", "-1000"])],
      () => ["-empty"],
      () => ["-links", r.pick(["1", "2", "+1"])],
      () => ["!", "-name", quote("*a*")],
      () => ["-maxdepth", r.pick(["0", "1", "2"])],
      () => ["-uid", r.pick(["0", "1000"])],
      () => ["-path", quote("*/*/*")],
      ...(this.changed ? [] : [() => ["-newer", quote(r.pick(this.texts))], () => ["-newermt", "2008-01-01"]]),
    ];
    const chosen = Array.from({ length: r.below(4) }, () => r.pick(tests)().join(" "));
    // -maxdepth belongs first.
    chosen.sort((a, b) => Number(b.startsWith("-maxdepth")) - Number(a.startsWith("-maxdepth")));
    const action = r.pick([
      "",
      "",
      `-printf ${quote(this.changed ? "%p %m %y %n\\n" : "%p %m %y %n %u %g %TY-%Tm-%Td\\n")}`,
      "-exec basename {} \\;",
      "-type f -exec wc -c {} \\;",
      "-type f -exec md5sum {} +",
      "-print0",
    ]);
    return [
      ["find", this.directory(), ...chosen, action].filter((w) => w !== ""),
      action === "-print0" ? ["sort", "-z"] : ["sort"],
    ];
  }

  private grepOptions(): string[] {
    return this.options(
      [
        "-n",
        "-c",
        "-i",
        "-v",
        "-w",
        "-x",
        "-o",
        "-h",
        "-H",
        "-l",
        "-L",
        "-E",
        "-b",
        "-s",
        "-a",
        "-m3",
        "-A1",
        "-B1",
        "--color=always",
        "-T",
      ],
      3,
    );
  }

  private pattern(): string {
    const r = this.random;
    return quote(
      r.pick([
        this.word(),
        this.word(),
        `^${this.word()}`,
        "[0-9]+",
        "[aeiou][^aeiou]$",
        "a.*e",
        "\\(.\\)\\1",
        "x\\|y",
        "^$",
        ".",
      ]),
    );
  }

  private sedWords(): string[] {
    const r = this.random;
    const scripts = [
      `s/${this.word()}/X/${r.pick(["", "g", "2", "gI", "p"])}`,
      `/${this.word()}/d`,
      `${r.between(1, 5)},${r.between(3, 20)}p`,
      "s/[a-z]*/(&)/",
      "s/\\([a-z]*\\) \\([a-z]*\\)/\\2 \\1/",
      "y/abc/xyz/",
      "$!N;s/\\n/ /",
      "1!G;h;$!d",
      `/${this.word()}/,/${this.word()}/s/^/> /`,
      "2q",
      "=",
      "/e/{s//E/;t;s/o/O/}",
      "n;d",
      "l 20",
      "3i\\before",
      "$a\\after",
      "/a/c\\changed",
      "0~3s/$/ ./",
    ];
    return [...this.options(["-n", "-s", "-E"], 1), quote(r.pick(scripts))];
  }

  private awkWords(): string[] {
    const r = this.random;
    const programs = [
      "{ print NF, $1 }",
      "{ n += $1 } END { print n, NR }",
      "length > 20 { print length, $0 }",
      "NR % 3 == 1",
      '{ for (i = NF; i > 0; i--) printf "%s ", $i; print "" }',
      '{ gsub(/[aeiou]/, "-"); print toupper($0) }',
      '{ c[$2]++ } END { for (k in c) print k, c[k] | "sort" }',
      'BEGIN { for (i = 0; i < 10; i++) printf "%d %.3f\\n", i * i, sqrt(i) }',
      '{ print FILENAME, FNR, substr($0, 2, 5), index($0, "e") }',
      "match($0, /[0-9]+/) { print RSTART, RLENGTH }",
      '{ split($0, a, ""); print a[1], a[2] }',
    ];
    return [...(r.oneIn(3) ? ["-F,"] : []), quote(r.pick(programs))];
  }

  private text1(): string {
    return quote(this.random.pick(this.texts));
  }

  private diffOptions(): string[] {
    const options = ["-q", "-i", "-w", "-y", "-e", "-n", "-B", "--suppress-common-lines"];
    return this.options(this.changed ? options : [...options, "-u"], 2);
  }

  private sortOptions(): string[] {
    return this.options(
      ["-n", "-r", "-u", "-f", "-s", "-b", "-d", "-k2", "-k2,2n", "-t,", "-g", "-V", "-M", "-h", "-c", "-z"],
      3,
    );
  }

  private cutWords(): string[] {
    const r = this.random;
    return r.oneIn(2)
      ? ["-c", r.pick(["1-3", "2,4,6-", "-5"])]
      : [
          r.oneIn(2) ? "-d," : "'-d '",
          "-f",
          r.pick(["1", "2-", "1,3", "-2"]),
          ...this.options(["-s", "--complement"], 1),
        ];
  }

  private statFormat(): string {
    const r = this.random;
    const fields = [
      "%n",
      "%s",
      "%a",
      "%A",
      "%u:%g",
      "%U",
      "%h",
      "%F",
      "%b",
      "%f",
      ...(this.changed ? [] : ["%Y", "%y"]),
    ];
    return Array.from({ length: r.between(1, 4) }, () => r.pick(fields)).join(" ");
  }

  private busyboxWords(): string[] {
    const r = this.random;
    return r.pick<() => string[]>([
      () => ["cat", ...this.options(["-n", "-A", "-b"], 1), ...this.files()],
      () => [r.pick(["head", "tail"]), "-n", this.number(), ...this.files()],
      () => [
        "ls",
        ...this.options(
          this.changed ? ["-1", "-a", "-R", "-r", "-S", "-p"] : ["-1", "-a", "-R", "-r", "-S", "-p", "-l", "-n"],
          3,
        ),
        this.directory(),
      ],
      () => ["sort", ...this.options(["-n", "-r", "-u"], 2), ...this.files()],
      () => ["grep", ...this.options(["-n", "-c", "-i", "-v", "-w", "-o"], 2), this.pattern(), ...this.files()],
      () => ["sed", ...this.sedWords().filter((w) => w !== "-s"), ...this.files()],
      () => ["awk", ...this.awkWords(), ...this.files(2)],
      () => ["wc", ...this.options(["-l", "-w", "-c"], 1), ...this.files()],
      () => [r.pick(["md5sum", "sha256sum", "tac", "nl", "fold", "cksum"]), ...this.files(2)],
      () => ["stat", "-c", quote("%n %s %a %h"), ...this.files()],
      () => ["od", "-c", this.file()],
      () => ["diff", ...this.options(["-q", "-b", "-i"], 1), this.text1(), this.text1()],
      () => ["seq", this.number(), "12"],
      () => ["cut", "-c", "1-4", ...this.files()],
    ])();
  }

  /** Steps that read standard input. */
  private filter(): Step {
    const r = this.random;
    const filters: (() => Step)[] = [
      () => ["sort", ...this.sortOptions().filter((o) => o !== "-c")],
      () => ["uniq", ...this.options(["-c", "-d", "-u", "-i", "-w3", "-f1"], 2)],
      () => ["cut", ...this.cutWords()],
      () => ["tr", r.pick(["a-z A-Z", "-d 0-9", "-s ' '", "-cd '[:print:]\\n'", "' ' '\\n'", "-c a-z -"])],
      () => ["sed", ...this.sedWords().filter((w) => w !== "-s")],
      () => ["grep", ...this.grepOptions(), this.pattern()],
      () => ["awk", ...this.awkWords()],
      () => ["wc", ...this.options(["-l", "-w", "-c"], 2)],
      () => ["tac"],
      () => ["nl", ...this.options(["-ba", "-nrz", "-w3"], 2)],
      () => ["fold", "-w", r.pick(["10", "33"])],
      () => ["paste", r.pick(["-sd,", "- -", "-d: - -"])],
      () => ["od", "-c"],
      () => ["md5sum"],
      () => ["cat", ...this.options(["-n", "-A", "-s"], 2)],
      () => ["tail", "-n", this.number()],
      () => ["expand", ...this.options(["-t4"], 1)],
      () => ["xargs", ...this.options(["-n2", "-r"], 2), "-d", "'\\n'", "printf", "'[%s]\\n'"],
      () => ['while read -r a b; do echo "$b:$a"; done'],
      () => ["gzip -n | gzip -dc"],
      () => ["fmt", "-w", "30"],
      () => [
        "busybox",
        ...r.pick([
          ["sort"],
          ["uniq", "-c"],
          ["tr", "a-m", "A-M"],
          ["wc", "-c"],
          ["sed", "s/e/E/g"],
          ["head", "-n", "4"],
          ["md5sum"],
        ]),
      ],
      () => ["head", "-n", this.number()],
      () => ["dd", "bs=64", "count=3", "iflag=fullblock", "status=none"],
      () => ["sha1sum"],
    ];
    return r.pick(filters)();
  }

  /** A step that changes files. */
  private change(): Step {
    const r = this.random;
    const fresh = () => `n${r.below(4)}`;
    const path = () => quote(r.pick([...this.texts, ...this.directories.slice(1), ...this.links]));
    return r.pick<() => string[]>([
      () => ["cp", ...this.options(["-a", "-r", "-p", "-l", "-L", "-n", "-u"], 2), this.file(), fresh()],
      () => ["cp", "-a", this.directory(), fresh()],
      () => ["mv", ...this.options(["-n", "-T", "-b"], 1), path(), r.oneIn(2) ? fresh() : this.directory()],
      () => ["rm", ...this.options(["-r", "-f", "-d"], 2), path()],
      () => [
        "ln",
        ...this.options(["-s", "-f", "-r"], 2).filter((o, _, all) => o !== "-r" || all.includes("-s")),
        this.file(),
        fresh(),
      ],
      () => [
        "chmod",
        ...this.options(["-R"], 1),
        r.pick(["u+x", "go-rwx", "0640", "a=rX", "+t", "g+s", "o=u"]),
        path(),
      ],
      () => ["chown", ...this.options(["-R", "-h"], 1), r.pick(["1:2", "1000", ":50", "daemon:daemon"]), path()],
      () => [
        "touch",
        ...this.options(["-a", "-m", "-c"], 1),
        "-d",
        r.pick(["2003-03-03", "@1111111111", "'2010-10-10 10:10:10'"]),
        path(),
        fresh(),
      ],
      () => ["mkdir", ...this.options(["-p", "-m700"], 2), r.pick([`${fresh()}/a/b`, fresh(), this.directory()])],
      () => ["rmdir", path()],
      () => ["truncate", "-s", r.pick(["0", "10", "+100", "5000", "%512"]), path()],
      () => ["sed", "-i", quote(`s/${this.word()}/[&]/g`), this.file()],
      () => ["sort", "-o", fresh(), this.file()],
      () => ["split", "-l", "7", this.file(), `${fresh()}.`],
      () => ["gzip", ...this.options(["-k", "-9", "-f"], 2), this.file()],
      () => [
        "dd",
        `if=${quote(r.pick(this.texts))}`,
        `of=${fresh()}`,
        "bs=7",
        `skip=${r.below(4)}`,
        `seek=${r.below(4)}`,
        "count=9",
        "status=none",
      ],
      () => ["install", "-m", r.pick(["755", "600"]), this.file(), fresh()],
      () => ["tar", "-cf", "-", this.directory(), "|", "(mkdir", "-p", "x;", "tar", "-xf", "-", "-C", "x)"],
      () => ["cat", this.file(), r.pick([">", ">>"]), fresh()],
      () => ["find", this.directory(), "-name", quote("*1*"), "-type", "f", "-delete"],
      () => ["mkfifo", "-m", "600", "fifo"],
      () => ["echo", this.word(), ">>", quote(r.pick(this.texts))],
    ])();
  }

  /** Shell words beyond pipelines. */
  private compound(): Step {
    const r = this.random;
    const n = r.between(2, 6);
    const quick = () =>
      r.pick([
        `echo ${this.word()}`,
        `wc -l < ${quote(r.pick(this.texts))}`,
        "true",
        "false",
        `test -f ${this.file()}`,
        "expr 3 + 4",
      ]);
    return [
      r.pick([
        () => `for f in ${this.directory()}/*; do [ -f "$f" ] && wc -c < "$f"; done`,
        () => `for i in ${Array.from({ length: n }, () => this.word()).join(" ")}; do echo "<$i>"; done`,
        () => `i=0; while [ $i -lt ${n} ]; do i=$((i + 1)); ${quick()}; done; echo $i`,
        () => `if ${quick()}; then echo yes; else echo no $?; fi`,
        () => `case ${this.word()} in [a-m]*) echo low;; [n-z]*) echo high;; *) echo other;; esac`,
        () => `cat <<END\n${this.word()} $((${n} * 7)) $(${quick()})\nEND\n:`,
        () => `x=$(${quick()}); echo "$x" "\${#x}" "\${x%?}"`,
        () => `( ${quick()}; exit ${n} ); echo $?`,
        () => `{ ${quick()}; ${quick()}; } 2>&1`,
        () => `f() { echo "$#:$1"; return ${n}; }; f ${this.word()} x; echo $?`,
        () => `(sleep 0.0${n}; ${quick()}) & ${quick()} > bg.out; wait; cat bg.out`,
        () => `trap 'echo trapped' USR1; kill -USR1 $$; echo after`,
        () => `(trap 'echo leaving $?' EXIT; ${quick()})`,
        () => `set -- ${this.word()} ${this.word()} ${this.word()}; shift; echo "$@" $#; IFS=,; echo "$*"; unset IFS`,
        () => `echo $((${n} + 3 * ${r.below(100)})) $((1 << ${n * 8})) $((-${n} % 4)) $((${n} > 3 ? 1 : 0))`,
        () => `! ${quick()}; echo $?`,
        () => `${quick()} && ${quick()} || ${quick()}`,
        () => `read -r a b < ${quote(r.pick(this.texts))}; echo "$b|$a"`,
        () => `{ sh -c 'kill -${r.pick(["TERM", "KILL", "INT"])} $$'; } 2> /dev/null; echo $?`,
        () => `cd ${this.directory()} && pwd && ls | wc -l; cd /w`,
        () => `umask 0${r.pick(["22", "77", "27"])}; : > u${n}; stat -c %a u${n}; umask 22`,
        () => `exec 3< ${quote(r.pick(this.texts))}; read -r x <&3; echo "$x"; exec 3<&-`,
        () => `echo ${this.directory()}/*[0-9] | tr ' ' '\\n' | tail -n 3`,
        () => `eval 'v=${this.word()}; echo "$v"'; echo \${v:-none} \${w:-none}`,
        () => `yes ${this.word()} | head -n ${n * 100} | md5sum`,
        () => `seq ${n}000 | tail -n 1; seq ${n}00 | sort -r | head -n 2`,
        () => `timeout 0.05 sleep 2; echo $?`,
        () => `env -i A=${n} sh -c 'echo $A'; echo "\${HOME}"`,
      ])(),
    ];
  }
}
