// npm run record-strace: strace -i of the commands of test/traces/sequence on this host's kernel, in a chroot of the base root whose
// directories list their entries by name. Needs root, strace, a tmpfs at /dev/shm and a kernel that runs i386 programs.
import { writeFileSync } from "node:fs";
import process from "node:process";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { NATIVE_SAMPLES, nativeRoot, straced } from "../test/traces/sequence/native-samples.ts";

const { directory } = await ensureRoot("base");
const root = nativeRoot(directory);
try {
  for (const { argv, file } of NATIVE_SAMPLES) {
    const { text } = straced(root, argv);
    writeFileSync(file, text);
    process.stdout.write(`${file}: ${text.split("\n").length - 1} lines\n`);
  }
} finally {
  root.close();
}
