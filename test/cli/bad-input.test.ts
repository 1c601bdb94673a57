// Bad input gets one clear line and the documented status; hostile guests die as their kind of machine does.
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { staticElf } from "../guest/static-elf.ts";
import { kmlab, ROOT } from "./kmlab.ts";
import { hasPackages } from "./packages.ts";

const scratch = mkdtempSync(join(tmpdir(), "kmlab-bad-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Puts an executable file where guests see it as /mnt/NAME. */
function guestFile(name: string, bytes: Uint8Array | string): void {
  writeFileSync(join(scratch, name), bytes);
  chmodSync(join(scratch, name), 0o755);
}

/** Runs a file of the scratch folder as the guest program. */
const run = (name: string, options: string[] = []) =>
  kmlab(["run", "--bind", `${scratch}:/mnt`, ...options, `/mnt/${name}`]);

const oneLine = (text: string) => expect(text.trimEnd().split("\n")).toHaveLength(1);

describe.runIf(hasPackages)("programs that cannot run here", () => {
  beforeAll(() => {
    const good = staticElf("mov eax, 1\nxor ebx, ebx\nint 0x80\n");
    guestFile("text", "just some text\n");
    guestFile("cut", good.slice(0, 60));
    const wide = good.slice();
    wide[4] = 2; // ELFCLASS64
    wide[18] = 62; // EM_X86_64
    guestFile("wide", wide);
    const foreign = good.slice();
    foreign[18] = 40; // EM_ARM
    guestFile("foreign", foreign);
    const interpreted = staticElf('mov eax, 1\nint 0x80\npath: db "/lib/no-such-ld.so", 0\n');
    // A second program header would need room; turn the only one into PT_INTERP of the text at its end.
    const view = new DataView(interpreted.buffer);
    const name = Buffer.from(interpreted).indexOf("/lib/no-such-ld.so");
    view.setUint32(52, 3, true);
    view.setUint32(56, name, true);
    view.setUint32(68, 19, true);
    guestFile("interpreted", interpreted);
    guestFile("good", good);
  });

  it("runs a good one", () => {
    expect(run("good").status).toBe(0);
  });

  it.each([
    ["text", 126],
    ["cut", 126],
    ["wide", 126],
    ["foreign", 126],
    ["interpreted", 127],
    ["missing", 127],
  ])("%s: status %i and one line that names it", (name, status) => {
    const outcome = run(name);
    expect(outcome.status).toBe(status);
    oneLine(outcome.stderr);
    expect(outcome.stderr).toContain(name);
  });
});

describe.runIf(hasPackages)("guests that go wrong", () => {
  const exit = "mov eax, 1\nxor ebx, ebx\nint 0x80\n";
  it("a fault ends the program by its signal, with a trace complete up to there", () => {
    guestFile("fault", staticElf(`mov eax, 20\nint 0x80\nmov eax, [0]\n${exit}`));
    const trace = join(scratch, "fault.kmtrace");
    const outcome = kmlab(["capture", "-o", trace, "--bind", `${scratch}:/mnt`, "/mnt/fault"]);
    expect(outcome.status).toBe(128 + 11);
    const shown = JSON.parse(kmlab(["show", "--json", trace]).stdout) as { calls: { name: string }[] };
    expect(shown.calls.map((call) => call.name)).toContain("getpid");
  });

  it.each([
    ["halts with interrupts off", "cli\nhlt\n", /interrupts off/],
    // No IDT: the first exception cannot be delivered, nor the double fault after it.
    ["triple faults", "sub esp, 8\nmov dword [esp], 0\nmov dword [esp+4], 0\nlidt [esp]\nud2\n", /triple fault/i],
  ])("a machine that %s ends with 124 and its reason", (name, source, reason) => {
    const file = name.replaceAll(" ", "-");
    guestFile(file, staticElf(source));
    const trace = join(scratch, `${file}.kmtrace`);
    const outcome = kmlab(["capture", "-o", trace, "--ring", "0", "--bind", `${scratch}:/mnt`, `/mnt/${file}`]);
    expect(outcome.status).toBe(124);
    expect(outcome.stderr).toMatch(reason);
    expect(kmlab(["show", trace]).status).toBe(0);
  });

  it("the same instructions in ring 3 are only that program's end", () => {
    guestFile("cli", staticElf("cli\nhlt\n"));
    expect(run("cli").status).toBe(128 + 11);
  });
});

describe("wrong words", () => {
  it.each([
    [["whatif"], 2],
    [["whatif", "no-such.kmtrace"], 2],
    [["sensitivity"], 2],
    [["export", "no-such.kmtrace", "--to", "perfetto"], 2],
    [["export", "no-such.kmtrace", "--to", "picture"], 2],
    [["sensitivity", "no-such.kmtrace"], 2],
    [["no-such-verb"], 2],
    [["show", "--no-such-option", "x"], 2],
    [["run", "--ring", "1", "true"], 125],
    [["run", "--bind", "/etc/passwd:/mnt", "true"], 125],
    [["machine"], 2],
    [["machine", "no-such.img"], 2],
    [["machine", "README.md"], 2],
    [["machine", "README.md", "--memory", "0"], 2],
    [["machine", "test/fixtures/machine/hello.img", "--max-instructions", "5"], 124],
  ])("%j: status %i, one line", (words, status) => {
    const outcome = kmlab(words);
    expect(outcome.status).toBe(status);
    oneLine(outcome.stderr);
  });

  it.runIf(hasPackages)("an unknown package", () => {
    const outcome = kmlab(["rootfs", "add", "no-such-package-at-all"]);
    expect(outcome.status).toBe(2);
    oneLine(outcome.stderr);
    expect(outcome.stderr).toContain("no-such-package-at-all");
  });
});

describe("traces", () => {
  const shipped = join(ROOT, "data", "traces");
  const sample = readdirSync(shipped).filter((name) => name.endsWith(".kmtrace"))[0];

  it("a damaged row: file, row and column", () => {
    const damaged = join(scratch, "damaged.kmtrace");
    cpSync(join(shipped, sample), damaged, { recursive: true });
    const events = join(damaged, "events.csv.gz");
    const rows = gunzipSync(readFileSync(events)).toString().split("\n");
    rows[2] = rows[2].replace(/^\d+/, "two");
    writeFileSync(events, gzipSync(rows.join("\n")));
    const outcome = kmlab(["whatif", damaged]);
    expect(outcome.status).toBe(2);
    oneLine(outcome.stderr);
    expect(outcome.stderr).toContain("events.csv");
  });

  it("a negative cost", () => {
    const key = (JSON.parse(kmlab(["calibrate", "--json"]).stdout) as { keys?: string[] }).keys?.[0] ?? "sysenter";
    const outcome = kmlab(["whatif", join(shipped, sample), "--set", `${key}=-5`]);
    expect(outcome.status).toBe(2);
    oneLine(outcome.stderr);
    expect(outcome.stderr).toContain(key);
  });

  it("no rows to sample", () => {
    const outcome = kmlab(["sensitivity", join(shipped, sample), "--rows", "0"]);
    expect(outcome.status).toBe(2);
    oneLine(outcome.stderr);
    expect(outcome.stderr).toContain("rows 0");
  });
});
