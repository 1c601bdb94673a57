// npm run record-traces: captures anew the small traces that come with kmlab (data/traces).
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MemoryIo } from "../src/emu/host.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { captureProgram, type RunOptions } from "../src/emu/run.ts";
import { PAGING_TRACE, SHIPPED_TRACES, SHIPPED_WAYS } from "../src/shipped-traces.ts";
import { writeTrace } from "../src/traces/node.ts";

const image = openImage((await ensureRoot("base")).directory);

function record(name: string, options: Omit<RunOptions, "image" | "host">): void {
  const { trace, status } = captureProgram({ image, host: new MemoryIo(), ...options });
  if (status !== 0) throw new Error(`${options.argv.join(" ")} ended with ${status}`);
  const folder = fileURLToPath(new URL(`../data/traces/${name}.kmtrace`, import.meta.url));
  process.stdout.write(`${join("data", "traces", `${name}.kmtrace`)} ${writeTrace(folder, trace)}\n`);
}

for (const { name, argv, cold } of SHIPPED_TRACES)
  for (const { suffix, ring, entry } of SHIPPED_WAYS)
    record(`${name}-${suffix}`, { argv: [...argv], ring, entry, cold });
const { name, argv, memoryMiB, epochInstr } = PAGING_TRACE;
record(`${name}-ring3`, { argv: [...argv], ring: 3, entry: "sysenter", memoryMiB, epochInstr });
