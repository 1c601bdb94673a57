// The house's rules that no compiler checks: what may import what, and what runs in a browser.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const SRC = fileURLToPath(new URL("../src", import.meta.url));
const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));

/** Every module that a file imports: as written, and for a relative one as a path below src. */
function imports(file: string): string[] {
  const text = readFileSync(join(SRC, file), "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, name]) =>
    name.startsWith(".") ? relative(SRC, join(SRC, file, "..", name)) : name,
  );
}

const breaking = (room: RegExp, forbidden: RegExp) =>
  files
    .filter((file) => room.test(file))
    .flatMap((file) =>
      imports(file)
        .filter((name) => forbidden.test(name))
        .map((name) => `${file}: ${name}`),
    );

describe("layers", () => {
  it("the emulator and the model never import each other", () => {
    expect(breaking(/^emu\//, /^model\//)).toEqual([]);
    expect(breaking(/^model\//, /^emu\//)).toEqual([]);
  });

  it("the CPU knows nothing of a kernel, the machine nothing of Linux", () => {
    expect(breaking(/^emu\/cpu\//, /^emu\/(kernel|capture|rootfs)\/|^(traces|cli)\//)).toEqual([]);
    expect(breaking(/^emu\/machine\//, /^emu\/(kernel|capture|rootfs)\/|^(traces|cli)\//)).toEqual([]);
  });

  it("nothing of Node outside the host adapters and the command line", () => {
    expect(breaking(/^(?!cli\/)(?!(.*[-/])?node\.ts$)/, /^node:/)).toEqual([]);
    expect(breaking(/^(?!cli\/)(?!(.*[-/])?node\.ts$)/, /(^|[-/])node\.ts$/)).toEqual([]);
  });

  it("figures know the model and traces, and nothing of Node or the emulator", () => {
    const folder = join(SRC, "..", "notebooks");
    const texts = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(join(folder, name), "utf8"));
    const names = texts.flatMap((text) => [...text.matchAll(/from "([^"]+)"/g)].map(([, name]) => name));
    expect(names.some((name) => name.includes("src/model/"))).toBe(true);
    expect(names.filter((name) => /^node:|node\.ts$|src\/(emu|cli)\//.test(name))).toEqual([]);
  });

  it("sees imports at all", () => {
    expect(imports("emu/run.ts")).toContain("emu/kernel/kernel.ts");
  });
});
