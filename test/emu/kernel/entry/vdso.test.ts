// The vDSO as a loader finds it, and its clock functions as programs call them.
import { describe, expect, it } from "vitest";
import { VDSO_BASE } from "../../../../src/emu/kernel/entry/layout.ts";
import { BOOT_TIME_MS } from "../../../../src/emu/kernel/kernel.ts";
import { buildVdso, type VdsoOptions } from "../../../../src/emu/kernel/vdso.ts";
import { elfHash } from "../../../../src/emu/kernel/vdso-elf.ts";
import { DATA, ofKind, world } from "./harness.ts";

const OPTIONS: VdsoOptions = { entry: "sysenter", clock: true, kmlCallTable: 0xc0109100, nsPerUnit: 2 };

/** Looks a symbol up as libc does: program headers, dynamic section, hash chain, version. */
function lookUp(image: Uint8Array, name: string): { value: number; version: string } | undefined {
  const view = new DataView(image.buffer, image.byteOffset);
  const word = (at: number) => view.getUint32(at, true);
  const half = (at: number) => view.getUint16(at, true);
  const text = (at: number) => {
    const end = image.indexOf(0, at);
    return new TextDecoder().decode(image.subarray(at, end));
  };
  const headers = Array.from({ length: half(44) }, (_, i) => word(28) + i * half(42));
  const dynamic = word(headers.find((at) => word(at) === 2)! + 8);
  const tags = new Map<number, number>();
  for (let at = dynamic; word(at) !== 0; at += 8) tags.set(word(at), word(at + 4));
  const [hash, strtab, symtab] = [4, 5, 6].map((tag) => tags.get(tag)!);
  const versym = tags.get(0x6fff_fff0)!;
  const buckets = word(hash);
  const chains = hash + 8 + 4 * buckets;
  for (let i = word(hash + 8 + 4 * (elfHash(name) % buckets)); i !== 0; i = word(chains + 4 * i)) {
    const symbol = symtab + 16 * i;
    if (text(strtab + word(symbol)) !== name) continue;
    let definition = tags.get(0x6fff_fffc)!;
    while (half(definition + 4) !== half(versym + 2 * i)) definition += word(definition + 16);
    const version = text(strtab + word(definition + word(definition + 12)));
    expect(word(definition + 8)).toBe(elfHash(version));
    return { value: word(symbol + 4), version };
  }
  return undefined;
}

describe("the image", () => {
  it("is an i386 shared object of one page with the kernel's symbols", () => {
    const { image } = buildVdso(OPTIONS, 6);
    expect([...image.subarray(0, 7)]).toEqual([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
    expect(image.length).toBe(4096);
    for (const name of ["__kernel_vsyscall", "__kernel_vsyscall_kml", "__kernel_sigreturn", "__kernel_rt_sigreturn"]) {
      expect(lookUp(image, name)?.version).toBe("LINUX_2.5");
    }
    const clock = ["clock_gettime", "clock_gettime64", "gettimeofday", "time", "clock_getres"];
    for (const name of clock) expect(lookUp(image, `__vdso_${name}`)?.version).toBe("LINUX_2.6");
    expect(lookUp(image, "__vdso_getcpu")).toBeUndefined();
  });

  it("has no clock functions when they are to be calls, and no KML entry without KML", () => {
    const { image, kmlVsyscall } = buildVdso({ ...OPTIONS, clock: false, kmlCallTable: undefined }, 6);
    expect(lookUp(image, "__vdso_clock_gettime")).toBeUndefined();
    expect(lookUp(image, "__kernel_vsyscall_kml")).toBeUndefined();
    expect(kmlVsyscall).toBe(-1);
  });

  it.each(["sysenter", "int80"] as const)("tells debuggers how %s has moved the stack", (entry) => {
    const { image, vsyscall } = buildVdso({ ...OPTIONS, entry }, 6);
    const view = new DataView(image.buffer);
    const [headers, number, names] = [view.getUint32(32, true), view.getUint16(48, true), view.getUint16(50, true)];
    const at = (section: number) => view.getUint32(headers + 40 * section + 16, true);
    const name = (section: number) => at(names) + view.getUint32(headers + 40 * section, true);
    const isFrames = (section: number) =>
      new TextDecoder().decode(image.subarray(name(section))).startsWith(".eh_frame\0");
    const table = at(Array.from({ length: number }, (_, i) => i).find(isFrames)!);
    const one = table + 4 + view.getUint32(table, true);
    expect(one + 8 + view.getInt32(one + 8, true)).toBe(vsyscall.entry);
    expect(view.getUint32(one + 12, true)).toBe(vsyscall.leave + 1 - vsyscall.entry);
    // The distance from ESP to above the return address, after each instruction that moves the stack.
    const told: number[][] = [];
    let pc = vsyscall.entry;
    for (let i = one + 17; i < one + 4 + view.getUint32(one, true); i++) {
      const op = image[i];
      if (op >> 6 === 1) pc += op & 63;
      else if (op === 0x0e) told.push([pc, image[++i]]);
      else if (op >> 6 === 2) i++;
    }
    const moves: number[][] = [];
    let distance = 4;
    for (let i = vsyscall.entry; i < vsyscall.leave; i++) {
      const [push, pop] = [[0x51, 0x52, 0x55].includes(image[i]), [0x59, 0x5a, 0x5d].includes(image[i])];
      if (!push && !pop) continue;
      distance += push ? 4 : -4;
      moves.push([i + 1, distance]);
    }
    expect(moves.length).toBe(entry === "sysenter" ? 6 : 0);
    expect(told).toEqual(moves);
  });

  it("enters ring 0 by one instruction: jmp [table + eax*4]", () => {
    const { image, kmlVsyscall } = buildVdso(OPTIONS, 6);
    expect([...image.subarray(kmlVsyscall, kmlVsyscall + 7)]).toEqual([0xff, 0x24, 0x85, 0x00, 0x91, 0x10, 0xc0]);
  });
});

/** Calls a clock function with two arguments and leaves its result at data. */
function callVdso(name: string, first: number, ring: 0 | 3) {
  const { image } = buildVdso({ ...OPTIONS, kmlCallTable: ring === 0 ? OPTIONS.kmlCallTable : undefined }, 6);
  const at = VDSO_BASE + lookUp(image, name)!.value;
  const w = world(
    `mov ecx, 1000000\nspin:\ndec ecx\njnz spin\nmov ebx, 0x1234
     push data+16\npush ${first}\nmov eax, ${at}\ncall eax\nadd esp, 8
     mov [data], eax\nmov [data+4], ebx\nmov eax, 252\nint 0x80`,
    { ring, kernel: ring === 0 ? "kml-4.0" : "linux" },
  );
  w.run();
  return { w, words: Array.from({ length: 8 }, (_, i) => w.word(DATA + 4 * i)) };
}

describe("clock functions", () => {
  for (const ring of [0, 3] as const) {
    it(`tell the virtual time without a call in ring ${ring}`, () => {
      const real = callVdso("__vdso_clock_gettime64", 0, ring);
      expect(real.words[0]).toBe(0);
      expect(real.words[1]).toBe(0x1234);
      expect(real.words[4]).toBe(BOOT_TIME_MS / 1000);
      // Two million instructions and what came with them, at 2 ns each.
      expect(real.words[6]).toBeGreaterThan(4_000_000);
      expect(real.words[6]).toBeLessThan(5_000_000);
      expect([real.words[5], real.words[7]]).toEqual([0, 0]);
      const calls = ofKind(real.w.recorder.events, "syscall").map((event) => event.nr);
      expect(calls).toEqual([252]);
      const [vdso] = ofKind(real.w.recorder.events, "vdso");
      expect(vdso).toMatchObject({ nr: 403, site: "vsyscall" });
      expect(vdso.kinstr).toBeGreaterThan(15);
      const monotonic = callVdso("__vdso_clock_gettime", 1, ring).words;
      expect(monotonic[4]).toBe(0);
      expect(monotonic[5]).toBeGreaterThan(4_000_000);
    });

    it(`ask the kernel by int 0x80 for other clocks, and stay in ring ${ring}`, () => {
      const cpu = callVdso("__vdso_clock_gettime", 2, ring);
      expect(cpu.words[0]).toBe(0);
      expect(cpu.words[1]).toBe(0x1234);
      expect(cpu.words[5]).toBeGreaterThan(0);
      const calls = ofKind(cpu.w.recorder.events, "syscall");
      expect(calls.map(({ nr, path }) => [nr, path])).toEqual([
        [265, ring === 0 ? "E" : "A"],
        [252, ring === 0 ? "E" : "A"],
      ]);
    });
  }

  it("time, gettimeofday and resolution", () => {
    expect(callVdso("__vdso_time", DATA + 32, 3).words[0]).toBe(BOOT_TIME_MS / 1000);
    const day = callVdso("__vdso_gettimeofday", DATA + 24, 3).words;
    expect(day[0]).toBe(0);
    expect(day[6]).toBe(BOOT_TIME_MS / 1000);
    expect(day[7]).toBeGreaterThan(4000);
    expect(day[7]).toBeLessThan(5000);
    expect(callVdso("__vdso_clock_getres", 1, 3).words.slice(4, 6)).toEqual([0, 1]);
    expect(callVdso("__vdso_clock_getres", 6, 3).words.slice(4, 6)).toEqual([0, 10_000_000]);
  });
});
