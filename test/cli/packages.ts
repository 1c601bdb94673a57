// Whether Debian packages are to be had; a test that needs them is skipped without, and fails instead under CI.
import process from "node:process";
import { ensureRoot } from "../../src/emu/rootfs/roots-node.ts";

/** True if the base root is on this host or could be fetched. */
export const hasPackages: boolean = await ensureRoot("base").then(
  () => true,
  (error: Error) => {
    if (process.env["CI"]) throw error;
    process.stderr.write(`skipping what needs Debian packages: ${error.message}\n`);
    return false;
  },
);
