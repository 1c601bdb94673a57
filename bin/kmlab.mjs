#!/usr/bin/env node
// The launcher: bundles the TypeScript sources when they have changed, then hands over to the command line.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { bundled, sources } from "./bundled.mjs";
import { runScript } from "./script.mjs";

const folder = await bundled();
const verb = process.argv.slice(2).find((word) => !word.startsWith("-"));
const known = verb !== undefined && /^[a-z]+$/.test(verb) && existsSync(join(sources, "cli", `${verb}.ts`));
runScript(join(folder, "main.cjs"), known ? verb : "other", createRequire(import.meta.url));
