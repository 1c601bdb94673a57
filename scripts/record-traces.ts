// npm run record-traces: captures anew the small traces that come with kmlab (data/traces).
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MemoryIo } from "../src/emu/host.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { captureProgram } from "../src/emu/run.ts";
import { SHIPPED_TRACES, SHIPPED_WAYS } from "../src/shipped-traces.ts";
import { writeTrace } from "../src/traces/node.ts";

const image = openImage((await ensureRoot("base")).directory);
for (const { name, argv, cold } of SHIPPED_TRACES) {
  for (const { suffix, ring, entry } of SHIPPED_WAYS) {
    const { trace, status } = captureProgram({ image, argv: [...argv], ring, entry, cold, host: new MemoryIo() });
    if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${status}`);
    const folder = fileURLToPath(new URL(`../data/traces/${name}-${suffix}.kmtrace`, import.meta.url));
    process.stdout.write(`${join("data", "traces", `${name}-${suffix}.kmtrace`)} ${writeTrace(folder, trace)}\n`);
  }
}
