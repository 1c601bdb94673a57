// What a program leaves behind that a root is prepared by: it belongs to the root, is made once, and is the same each time.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { afterFirstRun } from "../../src/emu/first-run-node.ts";
import { MemoryIo } from "../../src/emu/host.ts";
import { openImage } from "../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../src/emu/rootfs/roots-node.ts";
import { runProgram } from "../../src/emu/run.ts";
import { hasPackages } from "../cli/packages.ts";

const MAKE = [
  "busybox",
  "sh",
  "-c",
  "cd /usr; mkdir -m 711 made; echo one > made/a; echo x > /tmp/b; echo two > lib/c",
];

describe.runIf(hasPackages)("a first run", async () => {
  const { directory } = hasPackages ? await ensureRoot("base") : { directory: "" };
  const before = process.env["XDG_CACHE_HOME"];
  let cache = "";
  beforeAll(() => {
    cache = mkdtempSync(join(tmpdir(), "kmlab-first-"));
    process.env["XDG_CACHE_HOME"] = cache;
  });
  afterAll(() => {
    if (before === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = before;
    rmSync(cache, { recursive: true });
  });

  it("leaves its files under /usr, once", { timeout: 60_000 }, async () => {
    const image = await afterFirstRun(openImage(directory), MAKE);
    const host = new MemoryIo();
    const script = "cat /usr/made/a /usr/lib/c; stat -c '%a %u %n' /usr/made /usr/made/a; ls /tmp /usr";
    const { status } = runProgram({ image, argv: ["busybox", "sh", "-c", script], host });
    const usr = image.entries.filter(({ path }) => /^\/usr\/[^/]+$/.test(path)).map(({ path }) => path.slice(5));
    const listed = ["/tmp:", "", "/usr:", ...usr.sort()];
    const out = ["one", "two", "711 0 /usr/made", "644 0 /usr/made/a", ...listed, ""].join("\n");
    expect({ status, out: host.text("out") }).toEqual({ status: 0, out });
    image.close();

    const layers = join(cache, "kmlab", "layers");
    const again = await afterFirstRun(openImage(directory), MAKE);
    expect(again.digest).toBe(image.digest);
    again.close();
    expect(readdirSync(layers)).toHaveLength(1);
    for (const name of readdirSync(layers)) rmSync(join(layers, name), { recursive: true });
    const anew = await afterFirstRun(openImage(directory), MAKE);
    expect(anew.digest).toBe(image.digest);
    anew.close();
  });

  it("that fails says so and leaves nothing", async () => {
    const base = openImage(directory);
    await expect(afterFirstRun(base, ["busybox", "sh", "-c", "echo no >&2; exit 3"])).rejects.toThrow(
      /ended with 3: no/,
    );
    base.close();
  });
});
