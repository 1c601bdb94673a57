// What kmlab is in Node.
export * from "./emu/index-node.ts";
export { CheckFailed, InputError } from "./errors.ts";
export * from "./model/index-node.ts";
export * from "./traces/index-node.ts";
