// npm run record-traces: captures anew the small traces that come with kmlab (data/traces).
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MemoryIo } from "../src/emu/host.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { captureProgram } from "../src/emu/run.ts";
import { SHIPPED_TRACES } from "../src/shipped-traces.ts";
import { writeTrace } from "../src/traces/node.ts";

const image = openImage((await ensureRoot("base")).directory);
for (const { name, argv } of SHIPPED_TRACES) {
  for (const ring of [3, 0] as const) {
    const { trace, status } = captureProgram({ image, argv: [...argv], ring, host: new MemoryIo() });
    if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${status}`);
    const folder = fileURLToPath(new URL(`../data/traces/${name}-ring${ring}.kmtrace`, import.meta.url));
    process.stdout.write(`${join("data", "traces", `${name}-ring${ring}.kmtrace`)} ${writeTrace(folder, trace)}\n`);
  }
}
