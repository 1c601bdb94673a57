// What kmlab/emu is in Node: with this host's streams and roots.
export { processIo } from "./host-node.ts";
export * from "./index.ts";
export { type OpenImage, openImage } from "./rootfs/image-node.ts";
export { ensureRoot, importRoot, type ListedRoot, listRoots, type RootLocation, rootFor } from "./rootfs/roots-node.ts";
export { terminalIo } from "./terminal-node.ts";
