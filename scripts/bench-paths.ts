// npm run bench:paths [-- ROUNDS]: what `kmlab run --paths` costs: CPU time of the same programs with their ways into the kernel counted
// and not, taking turns in one process, the best of each.
import process from "node:process";
import { MemoryIo } from "../src/emu/host.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { runProgram } from "../src/emu/run.ts";
import { seconds } from "./bench/calls.ts";

const ROUNDS = Number(process.argv[2] ?? 10);
/** From few ways into the kernel a million instructions to many. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  awk: ["mawk", "BEGIN { for (i = 0; i < 300000; i++) s += i % 7; print s }"],
  sort: ["sh", "-c", "seq 30000 | sort -n | tail -1"],
  find: ["find", "/usr", "/etc", "-size", "+1k"],
  "a shell that forks": ["sh", "-c", "i=0; while [ $i -lt 500 ]; do (:); i=$((i+1)); done"],
};

const image = openImage((await ensureRoot("base")).directory);
process.stdout.write(
  "| program | ring | million instructions | ways into the kernel | without, s | counted, s | more |\n",
);
process.stdout.write("|---|---|---|---|---|---|---|\n");
for (const [name, argv] of Object.entries(PROGRAMS)) {
  for (const ring of [3, 0] as const) {
    const run = (paths: boolean) => runProgram({ image, argv: [...argv], ring, host: new MemoryIo(), paths });
    const { instructions, paths } = run(true);
    const best = { counted: Number.POSITIVE_INFINITY, plain: Number.POSITIVE_INFINITY };
    for (let round = 0; round < ROUNDS; round++) {
      best.plain = Math.min(
        best.plain,
        seconds(() => run(false)),
      );
      best.counted = Math.min(
        best.counted,
        seconds(() => run(true)),
      );
    }
    const ways = paths!.reduce((sum, { count }) => sum + count, 0);
    const more = `${(100 * (best.counted / best.plain - 1)).toFixed(1)} %`;
    const cells = [
      name,
      ring,
      (instructions / 1e6).toFixed(1),
      ways,
      best.plain.toFixed(2),
      best.counted.toFixed(2),
      more,
    ];
    process.stdout.write(`| ${cells.join(" | ")} |\n`);
  }
}
image.close();
