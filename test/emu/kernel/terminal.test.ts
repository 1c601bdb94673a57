// A terminal at work: a shell with its jobs, an editor, a pager; keys in, screen out.
import { describe, expect, it } from "vitest";
import { openImage } from "../../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../../src/emu/rootfs/roots-node.ts";
import { type RunResult, runProgram } from "../../../src/emu/run.ts";
import { hasPackages } from "../../cli/packages.ts";
import { type Step, Typist } from "./screen.ts";

interface Session {
  /** The screen when the guest had settled, before the first step and after each. */
  seen: string[];
  waits: number;
  run: RunResult;
}

describe.runIf(hasPackages)("a terminal", async () => {
  const image = hasPackages ? openImage((await ensureRoot("base")).directory) : undefined;

  function session(ring: 0 | 3, argv: string[], steps: Step[]): Session {
    const host = new Typist(steps);
    const run = runProgram({ image: image!, argv, host, ring, tty: true, env: ["TERM=xterm", "PS1=$ "] });
    return { seen: host.seen, waits: host.waits, run };
  }
  const last = (text: string) => text.slice(text.lastIndexOf("\n") + 1);

  it.each([3, 0] as const)("shell and jobs, ring %i", (ring) => {
    const { seen, run } = session(
      ring,
      ["bash", "--norc"],
      [
        "echo ab\x1b[Dx\r",
        "cat\r",
        "typed\r",
        "\x04",
        "sleep 1000\r",
        "\x1a",
        "bg; jobs; fg\r",
        "\x03",
        "echo $?\r",
        "sleep 1000 | cat &\r",
        "kill %1; wait 2>/dev/null; jobs\r",
        'trap "stty size" WINCH\r',
        { rows: 10, columns: 60 },
        "echo half a li\x15stty -echo; read x; stty echo; echo got $x\r",
        "secret\r",
        "exit 7\r",
      ],
    );
    expect(last(seen[0])).toBe("$");
    expect(seen[1]).toBe("$ echo axb\naxb\n$");
    expect(seen[3].endsWith("$ cat\ntyped\ntyped")).toBe(true);
    expect(last(seen[4])).toBe("$");
    expect(seen[5].endsWith("$ sleep 1000")).toBe(true);
    expect(seen[6].endsWith("^Z\n[1]+  Stopped                 sleep 1000\n$")).toBe(true);
    expect(seen[7].endsWith("[1]+ sleep 1000 &\n[1]+  Running                 sleep 1000 &\nsleep 1000")).toBe(true);
    expect(seen[8].endsWith("sleep 1000\n^C\n$")).toBe(true);
    expect(seen[9].endsWith("echo $?\n130\n$")).toBe(true);
    expect(seen[10]).toMatch(/\[1\] \d+\n\$$/);
    expect(seen[11].endsWith("; jobs\n$")).toBe(true);
    expect(seen[13]).toContain("10 60");
    expect(seen[15].endsWith("got secret\n$")).toBe(true);
    expect(seen[15]).not.toContain("half");
    expect(run.status).toBe(7);
  });

  it("vi edits a file and saves it, in a window that changes", () => {
    const { seen, run } = session(
      3,
      ["sh"],
      [
        "seq 50 > f; busybox vi f\r",
        { rows: 12, columns: 40 },
        "\x0c",
        "/^30\rOäöü\x1b",
        "dd:wq\r",
        "sed -n 28,32p f; grep -c . f\r",
        "busybox vi f\r",
        "Gonew\x1b",
        ":x\r",
        "tail -2 f\r",
        "exit\r",
      ],
    );
    expect(seen[1].split("\n").slice(0, 2)).toEqual(["1", "2"]);
    expect(seen[1].split("\n")).toHaveLength(24);
    expect(seen[3].split("\n")).toHaveLength(12);
    expect(seen[4]).toContain("\näöü\n30\n");
    expect(seen[6]).toContain("28\n29\n30\n31\n32\n50\n");
    expect(seen[8]).toContain("\nnew\n");
    expect(seen[10]).toContain("50\nnew\n");
    expect(run.status).toBe(0);
  });

  it("less pages, searches and quits; top redraws", () => {
    const { seen, run } = session(
      3,
      ["sh"],
      [
        "seq 300 | sed 's/^/line /' > f; busybox less f\r",
        " ",
        "/line 25.$\r",
        "n",
        "G",
        "q",
        "busybox top\r",
        "q",
        "exit\r",
      ],
    );
    expect(seen[1].startsWith("line 1\nline 2\n")).toBe(true);
    expect(seen[2].startsWith("line 24\n")).toBe(true);
    expect(seen[3].startsWith("line 250\n")).toBe(true);
    expect(seen[4].startsWith("line 251\n")).toBe(true);
    expect(seen[5]).toContain("line 300\n");
    expect(last(seen[6])).toBe("$");
    expect(seen[7]).toMatch(/PID +PPID USER/);
    expect(last(seen[8])).toBe("$");
    expect(run.status).toBe(0);
  });

  it("at a prompt the host sleeps until a key comes, and the machine waits as long as nobody types", () => {
    const { waits, run } = session(3, ["cat"], ["one\r", "two\r"]);
    expect(run.exit).toEqual({ kind: "exit", code: 0 });
    expect(waits).toBeLessThan(10);
  });
});
