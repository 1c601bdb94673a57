// The same command gives the same trace on any host, whatever its environment; and the way into the kernel does not
// change what the program itself executes.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { MemoryIo } from "../../src/emu/host.ts";
import { openImage } from "../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../src/emu/rootfs/roots-node.ts";
import { captureProgram, type RunOptions } from "../../src/emu/run.ts";
import { SHIPPED_TRACES } from "../../src/shipped-traces.ts";
import { readTrace } from "../../src/traces/node.ts";
import { kmlab, ROOT } from "./kmlab.ts";
import { hasPackages } from "./packages.ts";

const scratch = mkdtempSync(join(tmpdir(), "kmlab-identity-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.runIf(hasPackages)("identity", () => {
  it.each(SHIPPED_TRACES)("$name is what was recorded, under another zone, locale, home, umask and terminal", ({
    name,
    argv,
    cold,
  }) => {
    const before = process.umask(0o077);
    const trace = join(scratch, `${name}.kmtrace`);
    const outcome = kmlab(["capture", "--root", "base", "-o", trace, ...(cold ? ["--cold"] : []), ...argv], {
      TZ: "Pacific/Auckland",
      LC_ALL: "tr_TR.UTF-8",
      LANG: "de_DE.UTF-8",
      XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(process.env["HOME"] ?? "/root", ".cache"),
      XDG_STATE_HOME: process.env["XDG_STATE_HOME"] ?? join(process.env["HOME"] ?? "/root", ".local", "state"),
      HOME: scratch,
      TERM: "dumb",
      USER: "somebody",
    });
    process.umask(before);
    expect(outcome.status).toBe(0);
    const recorded = readTrace(join(ROOT, "data", "traces", `${name}-ring3.kmtrace`));
    expect(readTrace(trace).meta.id).toBe(recorded.meta.id);
  });
});

describe.runIf(hasPackages)("user instructions", async () => {
  const image = hasPackages ? openImage((await ensureRoot("base")).directory) : undefined;
  const options = (argv: readonly string[], entry: RunOptions["entry"]): RunOptions => ({
    image: image!,
    argv: [...argv],
    entry,
    host: new MemoryIo(),
  });

  it.each(
    [
      ["find", "/etc"],
      ["sh", "-c", "ls / | sort -r; sleep 0.01 & wait"],
      ["cat", "/etc/passwd"],
    ].map((argv) => ({ argv })),
  )("$argv executes the same by int80 and by sysenter", ({ argv }) => {
    const [a, b] = (["int80", "sysenter"] as const).map((entry) => captureProgram(options(argv, entry)).trace);
    expect(total(a.events.user)).toBe(total(b.events.user));
    expect([...perTask(a)]).toEqual([...perTask(b)]);
  });
});

const total = (column: Float64Array): number =>
  column.reduce((sum, value) => sum + (Number.isNaN(value) ? 0 : value), 0);

function perTask({ events }: ReturnType<typeof readTrace>): Map<number, number> {
  const sums = new Map<number, number>();
  events.task.forEach((task, i) => {
    if (!Number.isNaN(events.user[i])) sums.set(task, (sums.get(task) ?? 0) + events.user[i]);
  });
  return new Map([...sums].sort(([a], [b]) => a - b));
}
