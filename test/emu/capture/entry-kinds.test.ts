// In ring 0, just the calls that a real kernel sees outside the vsyscall page are traps; all others are direct calls.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../../src/emu/host.ts";
import { SYSCALLS } from "../../../src/emu/kernel/syscalls.ts";
import { openImage } from "../../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../../src/emu/rootfs/roots-node.ts";
import { captureProgram } from "../../../src/emu/run.ts";
import { KIND, SITE } from "../../../src/traces/schema/enums.ts";
import type { Trace } from "../../../src/traces/trace.ts";
import { hasPackages } from "../../cli/packages.ts";
import { ENTRY_KINDS_ENV, ENTRY_KINDS_FILE, type EntryKinds } from "./entry-kinds.ts";

const native = JSON.parse(readFileSync(ENTRY_KINDS_FILE, "utf8")) as EntryKinds;
const CALLS: readonly number[] = [KIND.syscall, KIND.exit, KIND.sigreturn, KIND.spawn];

/** Calls by name that came from a kind of site; the execve that started the program is not its own. */
function callsFrom({ events }: Trace, inline: boolean): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < events.length; i++) {
    if (events.nr[i] < 0 || !CALLS.includes(events.kind[i]) || (events.site[i] === SITE.int80) !== inline) continue;
    const { name } = SYSCALLS[events.nr[i]]!;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).sort());
}

describe.runIf(hasPackages)("entry kinds in ring 0", async () => {
  const location = hasPackages ? await ensureRoot("base") : undefined;

  it("were recorded over the same root", () => {
    expect(location!.digest).toBe(native.root);
  });

  it.each(native.programs)("$argv", ({ argv, int80, direct }) => {
    const image = openImage(location!.directory);
    const { trace } = captureProgram({ image, argv, env: [...ENTRY_KINDS_ENV], ring: 0, host: new MemoryIo() });
    image.close();
    expect(callsFrom(trace, true)).toEqual(int80);
    expect(callsFrom(trace, false)).toEqual(direct);
  });
});
