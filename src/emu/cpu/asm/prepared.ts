// Programs assembled while the command line was bundled; elsewhere there are none. See src/emu/prepare.ts.
import type { Assembled } from "./assemble.ts";

/** By the key of assembleOnce. */
export const PREPARED_PROGRAMS: Readonly<Record<string, () => Assembled>> = {};
