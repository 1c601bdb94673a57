// kmlab machine: boot a multiboot image on the bare emulated machine.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import type { CommandModule } from "yargs";
import { CPU_NAMES, cpuModel, DEFAULT_MODEL } from "../emu/cpu/models.ts";
import { DEFAULT_TIER, TIERS, type Tier } from "../emu/cpu/state.ts";
import { processIo } from "../emu/host-node.ts";
import { runBare } from "../emu/machine/bare.ts";
import { InputError } from "../errors.ts";

interface MachineArguments {
  image: string;
  append: string;
  memory: number;
  cpu: string;
  tier: string;
  "max-instructions": number;
}

const MIN_MEMORY_MIB = 1;
const MAX_MEMORY_MIB = 1024;
const DEFAULT_BOUND = 10_000_000_000;

function readImage(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new InputError(`${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export const command: CommandModule<object, MachineArguments> = {
  command: "machine <image>",
  describe: "boot a multiboot image on the bare machine",
  builder: (yargs) =>
    yargs
      .positional("image", { type: "string", demandOption: true, describe: "a multiboot (version 1) image for i386" })
      .option("append", { type: "string", default: "", describe: "what follows the image's name on its command line" })
      .option("memory", { type: "number", default: 32, describe: "memory in MiB" })
      .option("cpu", { type: "string", choices: CPU_NAMES, default: DEFAULT_MODEL.name, describe: "the processor" })
      .option("tier", { type: "string", choices: TIERS, default: DEFAULT_TIER, describe: "what executes instructions" })
      .option("max-instructions", {
        type: "number",
        default: DEFAULT_BOUND,
        describe: "end the run after so many instructions",
      })
      .example(
        "kmlab machine test/fixtures/machine/hello.img",
        "what it sends to COM1 and port 0xe9 goes to standard output",
      ),
  handler: ({ image, append, memory, cpu, tier, "max-instructions": maxInstructions }) => {
    if (!Number.isInteger(memory) || memory < MIN_MEMORY_MIB || memory > MAX_MEMORY_MIB)
      throw new InputError(`--memory ${memory}: give whole MiB from ${MIN_MEMORY_MIB} to ${MAX_MEMORY_MIB}`);
    if (!Number.isSafeInteger(maxInstructions) || maxInstructions < 1)
      throw new InputError(`--max-instructions ${maxInstructions}: give a whole number from 1`);
    const result = runBare({
      image: readImage(image),
      name: basename(image),
      append,
      ramBytes: memory * 0x10_0000,
      cpuModel: cpuModel(cpu),
      tier: tier as Tier,
      maxInstructions,
      output: processIo(false).stdout,
    });
    if (result.reason !== null) process.stderr.write(`kmlab: the machine died: ${result.reason}\n`);
    process.exitCode = result.status;
  },
};
