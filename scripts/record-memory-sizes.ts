// npm run record-memory-sizes: programs captured with ample memory and on small machines, and what the model says of the small ones from
// the first (data/memory-sizes.csv, shown in docs/validation.md). Takes minutes.
import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MemoryIo } from "../src/emu/host.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { captureProgram } from "../src/emu/run.ts";
import { memoryCaptures } from "../src/model/memory-counterfactual.ts";

const AMPLE_MIB = 128;
const SIZES_MIB = [8, 16, 64];
/** So often the pages in use are noted: more often than pages go and come. */
const EPOCH_INSTR = 50_000;

const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  perl: [
    "perl",
    "-e",
    '@a=map{$_*3 ."x"x($_%50)}1..60000; for $i(1..2){$s=0; for(@a){$s+=length $_} } %h=map{$_=>1}@a[0..20000]; print "$s\\n";',
  ],
  python: ["python3", "-S", "-c", "d={i:str(i)*3 for i in range(70000)}\nl=sorted(d.values())\nprint(len(l), l[5])"],
  cat: ["sh", "-c", "for i in 1 2 3; do find /usr/lib/python3.11 -type f -name '*.py' | xargs cat | md5sum; done"],
  sort: ["sh", "-c", "find /usr/lib/python3.11 -name 's*.py' | xargs cat | sort -S 6M | md5sum"],
};

const image = openImage((await ensureRoot(["perl-base", "python3-minimal"])).directory);
const lines = ["program,memory,what,seen,predicted"];
for (const [name, argv] of Object.entries(PROGRAMS)) {
  const outputs = new Set<string>();
  const traces = [AMPLE_MIB, ...SIZES_MIB].map((memoryMiB) => {
    const host = new MemoryIo();
    const epochInstr = memoryMiB === AMPLE_MIB ? EPOCH_INSTR : undefined;
    const { trace } = captureProgram({ image, argv: [...argv], host, memoryMiB, epochInstr });
    outputs.add(`${trace.meta.ended} ${host.text("out")}`);
    return { name, trace };
  });
  if (outputs.size !== 1) throw new Error(`${name}: ${[...outputs].join("; ")}`);
  for (const { capture, what, seen, predicted } of memoryCaptures(traces))
    lines.push([name, capture, what, seen, predicted].join(","));
  process.stdout.write(`${lines.slice(-12).join("\n")}\n`);
}
writeFileSync(fileURLToPath(new URL("../data/memory-sizes.csv", import.meta.url)), `${lines.join("\n")}\n`);
