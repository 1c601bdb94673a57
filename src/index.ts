// What kmlab is, for programs that import it: the emulator, traces and the model.
export * from "./emu/index.ts";
export { CheckFailed, InputError } from "./errors.ts";
export * from "./model/index.ts";
export * from "./traces/index.ts";
