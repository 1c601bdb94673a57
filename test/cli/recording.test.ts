// The recording commands of docs/new-traces.md, each run where its tool is installed and may record, and what it recorded imported.
import { spawnSync } from "node:child_process";
import { accessSync, chmodSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { importTrace } from "../../src/traces/importers/import.ts";
import { textFile } from "../../src/traces/importers/text-node.ts";
import { calls } from "../traces/importers/samples.ts";
import { ROOT } from "./kmlab.ts";

const root = mkdtempSync(join(tmpdir(), "kmlab-recording-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function shell(script: string, folder = root): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync("sh", ["-ec", script], {
    cwd: folder,
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, LTTNG_HOME: root },
  });
  return { status, said: `${stderr}${stdout}`.trim() };
}

/** What shows that a tool may record here; its own words when it may not. */
const MAY_RECORD: Readonly<Record<string, string>> = {
  strace: "strace -o strace.out true",
  perf: "perf record -q -e raw_syscalls:sys_enter -o probe.data true && perf trace -o probe.txt true",
  "trace-cmd": "trace-cmd record -q -e raw_syscalls -o probe.dat true",
  bpftrace: "bpftrace -e 'tracepoint:raw_syscalls:sys_enter { exit(); }'",
  lttng: "lttng list --kernel",
  "qemu-i386": "qemu-i386 --version && echo 'int main(void) { return 0; }' | gcc -m32 -static -x c -o probe -",
};

/** Why a recording is not made here; undefined: it is. */
function hindrance(tool: string): string | undefined {
  if (tool === "tracefs") {
    try {
      accessSync("/sys/kernel/tracing/instances", constants.W_OK);
      return undefined;
    } catch {
      return "no tracefs that may be written to";
    }
  }
  if (shell(`command -v ${tool}`).status !== 0) return "not installed";
  const { status, said } = shell(MAY_RECORD[tool]);
  return status === 0 ? undefined : `not permitted: ${said.split("\n")[0]}`;
}

/** A program that makes a process more; for qemu one of 32 bits; for bpftrace, which runs no scripts, a plain one. */
function program(tool: string): string {
  if (tool === "bpftrace") return "/bin/ls /";
  if (tool !== "qemu-i386") {
    const path = join(root, "program");
    writeFileSync(path, "#!/bin/sh\nls / | cat > /dev/null\nexec ls /\n");
    chmodSync(path, 0o755);
    return path;
  }
  const code = '#include <unistd.h>\nint main(void) { return write(1, "hello\\n", 6) == 6 && getppid() > 0 ? 0 : 1; }';
  writeFileSync(join(root, "hello.c"), code);
  expect(shell("gcc -m32 -static -o hello hello.c")).toMatchObject({ status: 0 });
  return join(root, "hello");
}

const page = readFileSync(join(ROOT, "docs/new-traces.md"), "utf8");
const recordings = [...page.matchAll(/```bash import=(\S+)\n(.*?)```/gs)].map(([, format, script]) => {
  const first = script.split(/\s/)[0];
  const tool = first.startsWith("T=") ? "tracefs" : first;
  return { format, script, tool };
});

it("the page has a recording for every format that a tool writes", () => {
  expect(new Set(recordings.map(({ format }) => format))).toEqual(
    new Set(["strace", "perf-script", "perf-trace", "ftrace", "trace-cmd", "bpftrace", "lttng", "qemu", "counts"]),
  );
});

describe("recorded here", () => {
  for (const [index, { format, script, tool }] of recordings.entries()) {
    const why = hindrance(tool);
    it.runIf(why === undefined)(`${tool}, read as ${format}${why === undefined ? "" : ` (not run: ${why})`}`, () => {
      const folder = join(root, `${index}`);
      expect(shell(`mkdir ${folder}`).status).toBe(0);
      // Others may run this test at the same time.
      const own = script.replace("instances/kmlab", `instances/kmlab-${process.pid}`);
      const { status, said } = shell(own.replace("PROGRAM", program(tool)), folder);
      expect(`${status} ${status === 0 ? "" : said}`.trim()).toBe("0");
      const { trace, report } = importTrace([textFile(join(folder, "trace.txt"))], calls);
      expect(report.format).toBe(format);
      expect(report.notUnderstood).toEqual([]);
      expect(trace.events.length).toBeGreaterThan(5);
      const names = new Set(Array.from(trace.events.nr, (nr, seq) => calls.name(nr, trace.events.abi[seq])));
      expect(names).toContain(tool === "qemu-i386" ? "getppid" : "write");
    });
  }
});
