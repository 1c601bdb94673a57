// Which programs' entry kinds are recorded natively, and where.
import { fileURLToPath } from "node:url";

export const ENTRY_KINDS_COMMANDS: readonly (readonly string[])[] = [
  ["find", "/usr"],
  ["ls", "-lR", "/usr/share"],
  ["sort", "/etc/passwd"],
  ["sha256sum", "/bin/bash"],
];
/** No processor's own library folders, so that the loader asks for the same files whatever the host's processor is. */
export const ENTRY_KINDS_ENV: readonly string[] = ["LD_HWCAP_MASK=0"];
export const ENTRY_KINDS_FILE: string = fileURLToPath(
  new URL("../../fixtures/entry-kinds/native.json", import.meta.url),
);

/** The recording: per program, its calls outside the vsyscall page and through it, by name. */
export interface EntryKinds {
  /** Digest of the root image. */
  root: string;
  /** Host kernel and tool. */
  kernel: string;
  tool: string;
  programs: { argv: string[]; int80: Record<string, number>; direct: Record<string, number> }[];
}
