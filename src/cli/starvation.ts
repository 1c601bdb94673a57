// kmlab starvation: what a stack page that is not there costs a ring-0 program, and what would help. Prints tables, or
// docs/stack-starvation.md, which is nothing else.
import process from "node:process";
import type { CommandModule } from "yargs";
import { openImage } from "../emu/rootfs/image-node.ts";
import { ensureRoot } from "../emu/rootfs/roots-node.ts";
import { modelData } from "../model/data-node.ts";
import { type StarvationResult, starvationPage } from "./starvation-page.ts";
import { starvationPrices } from "./starvation-prices.ts";
import { starvationRuns } from "./starvation-runs.ts";
import { starvationShares } from "./starvation-shares.ts";

/** Runs everything. Needs the packages of the base root. */
export async function starvation(): Promise<StarvationResult> {
  const image = openImage((await ensureRoot("base")).directory);
  const data = modelData();
  return { runs: starvationRuns(image), prices: starvationPrices(data), shares: starvationShares(data) };
}

export const command: CommandModule<object, { json: boolean }> = {
  command: "starvation",
  describe: "measure stack starvation in ring 0 and price it: prints docs/stack-starvation.md",
  builder: (yargs) =>
    yargs
      .option("json", { type: "boolean", default: false, describe: "print JSON" })
      .example("kmlab starvation", "events per program, what one costs on each processor, and what would help"),
  handler: async ({ json }) => {
    const result = await starvation();
    process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : starvationPage(result));
  },
};
