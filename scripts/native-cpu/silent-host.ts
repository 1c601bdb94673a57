// What stands around a processor that runs user code beside the native one: a machine that answers nothing.
import type { CpuHost } from "../../src/emu/cpu/cpu.ts";

export const silentHost: CpuHost = {
  kcall() {},
  inPort: () => 0,
  outPort() {},
  intAck: () => 0,
  tsc: () => 0,
};
