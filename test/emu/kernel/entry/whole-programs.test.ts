// Whole Debian programs in ring 0 beside the counts of a real KML 4.0 kernel; where Linux 6.1's calls make a difference, it is named.
import { expect, it } from "vitest";
import { MemoryIo } from "../../../../src/emu/host.ts";
import { openImage } from "../../../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../../../src/emu/rootfs/roots-node.ts";
import { writeTar } from "../../../../src/emu/rootfs/tar.ts";
import { captureProgram } from "../../../../src/emu/run.ts";
import { KIND, PATH } from "../../../../src/traces/schema/enums.ts";
import { hasPackages } from "../../../cli/packages.ts";
import { imageWithFiles } from "../../../programs/guest.ts";

interface Counts {
  direct: number;
  forks: number;
  sigreturns: number;
  int80: number;
  doubleFaults: number;
}

/** `files`: what the program finds in /w. */
async function counts(argv: string[], env: string[] = [], files: Record<string, string> = {}): Promise<Counts> {
  const image = openImage((await ensureRoot("base")).directory);
  const tar = writeTar(Object.entries(files).map(([path, text]) => ({ path, data: new TextEncoder().encode(text) })));
  const options = { image: imageWithFiles(image, tar), argv, env, ring: 0, host: new MemoryIo() } as const;
  const { events } = captureProgram(options).trace;
  image.close();
  const of = (test: (i: number) => boolean) => events.kind.reduce((sum, _, i) => sum + (test(i) ? 1 : 0), 0);
  const isCall = (i: number) => events.kind[i] === KIND.syscall;
  return {
    direct: of((i) => isCall(i) && events.path[i] === PATH.C),
    forks: of((i) => isCall(i) && events.path[i] === PATH.D),
    sigreturns: of((i) => events.kind[i] === KIND.sigreturn && events.path[i] === PATH.D),
    int80: of((i) => isCall(i) && events.path[i] === PATH.E),
    doubleFaults: of((i) => events.kind[i] === KIND.fault && events.path[i] === PATH.H),
  };
}

it.runIf(hasPackages)("busybox true: as the real kernel", async () => {
  const real = { direct: 10, forks: 0, sigreturns: 0, int80: 6, doubleFaults: 1 };
  expect(await counts(["busybox", "true"])).toEqual(real);
});

it.runIf(hasPackages)(
  "busybox sh, 20 x (:): a starvation a fork in the parent, signal returns without a trap",
  async () => {
    // Whether the parent's stack straddles a page at the fork depends on where it begins: so much environment puts it where the
    // real run's was (its ESP lay at 0xf20 of its page).
    const loop = `for i in ${Array.from({ length: 20 }, (_, i) => i).join(" ")}; do (:); done\n`;
    const seen = await counts(["busybox", "sh", "/w/loop"], [`P=${"x".repeat(1096)}`], { loop });
    expect(seen).toEqual({ direct: 145, forks: 20, sigreturns: 20, int80: 6, doubleFaults: 21 });
  },
);

it.runIf(hasPackages)("dynamic true: all but two calls are the loader's traps", async () => {
  // The real run had 30 traps: 4.0 answers ENOSYS to statx, so that the loader asks again with fstat64, and the folders that it
  // looks through depend on the root and the processor's features.
  const seen = await counts(["true"]);
  expect(seen).toMatchObject({ direct: 2, forks: 0, sigreturns: 0, doubleFaults: 1 });
  expect(seen.int80).toBe(26);
});

it.runIf(hasPackages)(
  "a program that ld.so of /trusted is told to load runs in ring 0, wherever it lies itself",
  async () => {
    const image = openImage((await ensureRoot("base")).directory);
    const run = (argv: string[]) =>
      captureProgram({ image, argv, ring: 3, kernel: "kml-4.0", host: new MemoryIo() }).trace;
    const direct = ({ events }: ReturnType<typeof run>) => events.path.filter((path) => path === PATH.C).length;
    const trusted = run(["/trusted/lib/ld-linux.so.2", "/bin/true"]);
    expect(trusted.execs.map(({ ring }) => ring)).toEqual([0]);
    expect(direct(trusted)).toBeGreaterThan(0);
    const plain = run(["/lib/ld-linux.so.2", "/bin/true"]);
    expect(plain.execs.map(({ ring }) => ring)).toEqual([3]);
    expect(direct(plain)).toBe(0);
    image.close();
  },
);
