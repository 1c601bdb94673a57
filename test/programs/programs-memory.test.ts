// Do Debian's own programs print, return and leave behind in a machine of 8 MiB, where their pages go and come, what they do on a real
// kernel? All of them are run with KMLAB_SLOW=1, else a few.
import process from "node:process";
import { describe } from "vitest";
import { compareCases } from "./suite.ts";

const SLOW = process.env["KMLAB_SLOW"] !== undefined;

describe("in 8 MiB", async () => {
  for (const ring of [3, 0] as const)
    await compareCases({ name: `ring ${ring}`, ring, entry: "sysenter", memoryMiB: 8 }, SLOW ? 1 : 40);
});
