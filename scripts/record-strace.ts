// npm run record-strace: strace -i of the commands of test/traces/sequence on this host's kernel, in a chroot of a root whose
// directories list their entries by name. Needs root, strace, a tmpfs at /dev/shm and a kernel that runs i386 programs.
import { writeFileSync } from "node:fs";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { NATIVE_SAMPLES, nativeRoot, PROGRAM_SAMPLES, straced } from "../test/traces/sequence/native-samples.ts";

for (const { argv, file, packages = [] } of [...NATIVE_SAMPLES, ...PROGRAM_SAMPLES]) {
  const root = nativeRoot((await ensureRoot(packages)).directory);
  try {
    const { text } = straced(root, argv);
    writeFileSync(file, file.endsWith(".gz") ? gzipSync(text) : text);
    process.stdout.write(`${file}: ${text.split("\n").length - 1} lines\n`);
  } finally {
    root.close();
  }
}
