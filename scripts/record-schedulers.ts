// npm run record-schedulers: programs that compute side by side, captured under every scheduler of the emulated kernel, and when the model
// says that each task ends, from the capture under the kernel's own alone (data/schedulers-seen.csv, shown in docs/validation.md).
import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MemoryIo } from "../src/emu/host.ts";
import { SCHEDULER_NAMES } from "../src/emu/kernel/schedulers/schedulers.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { captureProgram, type RunOptions } from "../src/emu/run.ts";
import { modelData } from "../src/model/data-node.ts";
import { scheduledCaptures } from "../src/model/scheduler-counterfactual.ts";
import { imageOf } from "../test/emu/kernel/proc/image.ts";
import { crunchers } from "../test/guest/mix.ts";

const base = openImage((await ensureRoot("base")).directory);
const crunch = imageOf({ "/bin/crunch": crunchers([60, 40, 80, 25].map((millions) => ({ millions }))) });
const sorts = "for i in 1 2 3; do seq 3000 | sort -rn | tail -1 & done; wait";

const PROGRAMS: Readonly<Record<string, Pick<RunOptions, "image" | "argv" | "cwd">>> = {
  "four that compute": { image: crunch, argv: ["/bin/crunch"], cwd: "/" },
  "three pipelines that sort": { image: base, argv: ["sh", "-c", sorts] },
};

const data = modelData();
const lines = ["program,hz,scheduler,tasks,in_order,worst_percent,seen,predicted"];
for (const [name, program] of Object.entries(PROGRAMS)) {
  for (const hz of [100, 250, 1000]) {
    const traces = SCHEDULER_NAMES.map((scheduler) => ({
      name,
      trace: captureProgram({ ...program, host: new MemoryIo(), hz, scheduler }).trace,
    }));
    const all = scheduledCaptures(traces, data);
    for (const scheduler of new Set(all.map(({ capture }) => capture))) {
      const rows = all.filter(({ capture }) => capture === scheduler);
      const order = (key: "seen" | "predicted") => [...rows].sort((a, b) => a[key] - b[key]).map(({ what }) => what);
      const [seen, predicted] = [order("seen"), order("predicted")];
      const inOrder = seen.filter((what, index) => what === predicted[index]).length;
      const worst = rows.reduce((a, b) => (Math.abs(b.errorPercent) > Math.abs(a.errorPercent) ? b : a));
      const figures = [rows.length, inOrder, worst.errorPercent.toFixed(3), worst.seen, worst.predicted];
      lines.push([name, hz, scheduler, ...figures].join(","));
      process.stdout.write(`${lines.at(-1)}\n`);
    }
  }
}
writeFileSync(fileURLToPath(new URL("../data/schedulers-seen.csv", import.meta.url)), `${lines.join("\n")}\n`);
