// A worker thread of the command line: the bundle's script for threads, and what it does with a task.
import { createRequire } from "node:module";
import { join } from "node:path";
import { bundled } from "./bundled.mjs";
import { runScript } from "./script.mjs";

const script = runScript(join(await bundled(), "worker.cjs"), "worker", createRequire(import.meta.url));
export default script.default;
