#!/usr/bin/env node
// The launcher: lets Node read the TypeScript sources, then hands over to the command line.
import { register } from "tsx/esm/api";

register();
await import("../src/cli/main.ts");
