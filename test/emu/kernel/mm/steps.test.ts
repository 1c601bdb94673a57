// At 8, 16 and 64 MiB the same programs give the same output, and at every fault, eviction, write and read from swap the pages that are
// resident are those that came less those that were evicted and freed.
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../../../src/emu/host.ts";
import { auditMemory } from "../../../../src/emu/kernel/mm/audit.ts";
import { openImage } from "../../../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../../../src/emu/rootfs/roots-node.ts";
import { captureProgram, type RunOptions } from "../../../../src/emu/run.ts";
import { hasPackages } from "../../../cli/packages.ts";
import { fixture, imageOf } from "../proc/image.ts";
import { Steps } from "./steps.ts";

const SIZES = [8, 16, 64] as const;

function run(options: Omit<RunOptions, "host">) {
  const host = new MemoryIo();
  let steps: Steps | undefined;
  const { kernel, status } = captureProgram({
    ...options,
    host,
    attach: (k) => {
      steps = new Steps(k);
    },
  });
  const wrong = [...steps!.wrong, ...auditMemory(kernel)];
  return { out: `${host.text("out")}status ${status}`, kernel, steps: steps!, wrong };
}

/** The same at every size: output, and books that agree at every step; the smaller the machine, the more is evicted. */
function reconciles(options: Omit<RunOptions, "host">): void {
  const runs = SIZES.map((memoryMiB) => run({ ...options, memoryMiB }));
  for (const { wrong } of runs) expect(wrong).toEqual([]);
  expect(new Set(runs.map(({ out }) => out)).size).toBe(1);
  expect(runs[0].out).toMatch(/status 0$/);
  for (const { kernel, steps } of runs) {
    const { begun, ended, evict, swapin } = steps.compared;
    expect(ended).toBeGreaterThan(200);
    expect(begun).toBeGreaterThanOrEqual(ended);
    expect([evict, swapin]).toEqual([kernel.lists.evicted, kernel.vm.pswpin]);
  }
  const [small, middle, large] = runs.map(({ steps }) => steps.evicted);
  expect(small).toBeGreaterThan(middle);
  expect(large).toBe(0);
}

describe.each([3, 0] as const)("ring %i", (ring) => {
  it("memory of every kind", () => {
    const image = imageOf({ "/bin/paging": fixture("paging") });
    reconciles({ image, argv: ["/bin/paging", "1200"], ring, cwd: "/", env: [] });
  });

  it.runIf(hasPackages)("Debian's programs", async () => {
    const image = openImage((await ensureRoot("base")).directory);
    const script = "cat $(find /usr/lib -name 'lib*.so*' -type f | sort -r | head -40) | tail -c 9999 | md5sum";
    reconciles({ image, argv: ["sh", "-c", script], env: [], ring });
  });
});
