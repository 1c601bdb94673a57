// npm run record-memory-runs: the program of the trace that pages, run by the emulator with less and less memory in both rings: what it
// waited for, and how long it took (data/memory-runs.csv, points of figure 9). Takes minutes.
import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MemoryIo } from "../src/emu/host.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { captureProgram } from "../src/emu/run.ts";
import { lackSeen } from "../src/model/memory-counterfactual.ts";
import { PAGING_TRACE } from "../src/shipped-traces.ts";

const SIZES_MIB = [6, 7, 8, 10, 12, 13, 14, 16, 32, 64];

const image = openImage((await ensureRoot("base")).directory);
const lines = ["memory_mib,ring,file_reads,swap_reads,swap_writes,ns"];
const outputs = new Set<string>();
for (const memoryMiB of SIZES_MIB) {
  for (const ring of [3, 0] as const) {
    const host = new MemoryIo();
    const { trace } = captureProgram({ image, argv: [...PAGING_TRACE.argv], ring, memoryMiB, host });
    outputs.add(`${trace.meta.ended} ${host.text("out")}`);
    const { fileReads, swapReads, swapWrites } = lackSeen(trace);
    const { tIn, tOut } = trace.events;
    // Not every event has both times.
    const last = tIn.reduce((latest, time, seq) => Math.max(latest, time, tOut[seq] || 0), 0);
    const ns = (last - tIn[0]) * trace.meta.clock.nsPerUnit;
    lines.push([memoryMiB, ring, fileReads, swapReads, swapWrites, ns].join(","));
    process.stdout.write(`${lines.at(-1)}\n`);
  }
}
if (outputs.size !== 1) throw new Error("the program said something else with less memory");
writeFileSync(fileURLToPath(new URL("../data/memory-runs.csv", import.meta.url)), `${lines.join("\n")}\n`);
