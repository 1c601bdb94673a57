// Handlers written out while the command line was bundled, so that V8 keeps them compiled; elsewhere there are none, and each
// is made when first needed. See src/emu/prepare.ts.
import type { Handler } from "../isa/decode.ts";

/** From the values of BINDINGS to functions by form id, which give a handler by its specialisation, or none. */
export type PreparedHandlers = (...bindings: unknown[]) => (((key: number) => Handler | undefined) | undefined)[];

export const PREPARED_HANDLERS: PreparedHandlers | null = null;
