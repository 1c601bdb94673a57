// What kmlab/emu is: the emulator, for programs that import it. Roots are made of bytes here; what finds them on a disk is beside it.
export { type HostInput, type HostIo, type HostTerminal, MemoryIo } from "./host.ts";
export {
  formatIndex,
  type ImageEntry,
  type ImageIndex,
  imageFromBytes,
  parseIndex,
  type RootImage,
} from "./rootfs/image.ts";
export { type CaptureResult, captureProgram, type RunOptions, type RunResult, runProgram, statusOf } from "./run.ts";
