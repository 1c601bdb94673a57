// kmlab tour: the whole job once on real programs. What `npm start` runs.
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Argv } from "yargs";
import { MemoryIo } from "../emu/host.ts";
import { PackagesUnavailable } from "../emu/rootfs/apt-node.ts";
import { openImage } from "../emu/rootfs/image-node.ts";
import { ensureRoot } from "../emu/rootfs/roots-node.ts";
import { captureProgram, type RunOptions } from "../emu/run.ts";
import { CheckFailed } from "../errors.ts";
import { modelData } from "../model/data-node.ts";
import { whatifText } from "../model/report.ts";
import { whatif } from "../model/whatif.ts";
import { readTrace, writeTrace } from "../traces/node.ts";
import type { Trace } from "../traces/trace.ts";
import { progressBar } from "./rootfs.ts";

/** What the tour captures: a search over the whole root, and a copy of a tree. */
const PROGRAMS: readonly { name: string; argv: string[] }[] = [
  { name: "find", argv: ["find", "/", "-xdev", "-size", "+64k"] },
  { name: "cp", argv: ["cp", "-a", "/usr/share", "/tmp/copy"] },
];
const SHIPPED = fileURLToPath(new URL("../../data/traces", import.meta.url));

interface Pair {
  name: string;
  ring3: { path: string; trace: Trace };
  ring0: { path: string; trace: Trace };
}

const say = (text: string) => process.stdout.write(`${text}\n`);

/** Captures one program in a ring and writes its trace. */
function capture(name: string, folder: string, options: RunOptions): { path: string; trace: Trace } {
  const io = new MemoryIo();
  const run = captureProgram({ ...options, host: io });
  if (run.status !== 0)
    throw new CheckFailed(`${options.argv.join(" ")} ended with ${run.status}: ${io.text("err").split("\n")[0]}`);
  const path = join(folder, `${name}-ring${options.ring}.kmtrace`);
  run.trace.meta.id = writeTrace(path, run.trace);
  const seconds = (run.kernel.uptimeNs / 1e9).toFixed(3);
  say(
    `captured ${options.argv.join(" ")} in ring ${options.ring}: ${run.trace.events.kind.length} events, ${seconds} s of guest time`,
  );
  return { path, trace: run.trace };
}

async function captured(folder: string): Promise<Pair[]> {
  const image = openImage((await ensureRoot("base", { progress: progressBar() })).directory);
  return PROGRAMS.map(({ name, argv }) => {
    const options = { image, argv, host: new MemoryIo() };
    return {
      name,
      ring3: capture(name, folder, { ...options, ring: 3 }),
      ring0: capture(name, folder, { ...options, ring: 0 }),
    };
  });
}

/** The small captures that come with kmlab, for hosts without packages. */
function shipped(): Pair[] {
  const load = (name: string, ring: 0 | 3) => {
    const path = join(SHIPPED, `${name}-ring${ring}.kmtrace`);
    return { path, trace: readTrace(path) };
  };
  return PROGRAMS.map(({ name }) => ({
    name,
    ring3: load(name, 3),
    ring0: load(name, 0),
  }));
}

/** Prints the what-if of the ring-3 capture, and beside it what the ring-0 capture of the same program says. */
function answer(pair: Pair): void {
  const data = modelData();
  const fromRing3 = whatif(pair.ring3.trace, data);
  const fromRing0 = whatif(pair.ring0.trace, data, { mechanisms: ["kml"] });
  say("");
  say(whatifText(fromRing3).join("\n"));
  const total = (mechanisms: typeof fromRing3.mechanisms) => {
    const found = mechanisms.find((entry) => entry.mechanism === "kml");
    return found && "total" in found ? found.total : undefined;
  };
  const predicted = total(fromRing3.mechanisms);
  const replayed = total(fromRing0.mechanisms);
  if (predicted !== undefined && replayed !== undefined) {
    const off = ((predicted / replayed - 1) * 100).toFixed(2);
    say(
      `kml predicted from the ring-3 capture: ${predicted} cycles; replayed from the ring-0 capture: ${replayed} (${off} % off)`,
    );
  }
}

export const command = {
  command: "tour",
  describe: "the whole job once: capture, replay, answer",
  builder: (yargs: Argv): Argv =>
    yargs.option("output", { type: "string", alias: "o", default: "kmlab-tour", describe: "folder for the traces" }),
  handler: async (args: { output: string }): Promise<void> => {
    let pairs: Pair[];
    try {
      pairs = await captured(args.output);
    } catch (error) {
      if (!(error instanceof PackagesUnavailable)) throw error;
      process.stderr.write(`kmlab: ${error.message}; going on with the traces that come with kmlab\n`);
      pairs = shipped();
    }
    for (const pair of pairs) answer(pair);
    const here = (path: string) => relative(process.cwd(), path) || ".";
    const first = here(pairs[0].ring3.path);
    say("\ntraces:");
    for (const { ring3, ring0 } of pairs) say(`  ${here(ring3.path)}  ${here(ring0.path)}`);
    say("\ntry next:");
    say("  npx --no kmlab capture -o sort.kmtrace sort -r /etc/passwd   (any program of the guest)");
    say(`  npx --no kmlab whatif ${first} --profile pentium   (another processor)`);
    say(`  npx --no kmlab show ${here(pairs[0].ring0.path)}   (what the program asked of the kernel)`);
  },
};
