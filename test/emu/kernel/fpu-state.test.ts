// Do vector registers come through signals, exceptions, fork, threads and execve as under a real kernel?
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { run } from "./proc/image.ts";

const FIXTURES = new URL("../../fixtures/simd/", import.meta.url);
const file = (name: string) => new Uint8Array(readFileSync(new URL(name, FIXTURES)));

describe.each([
  { name: "ring 3 by int80", ring: 3, entry: "int80", cpu: "pentium4" },
  { name: "ring 3 by sysenter", ring: 3, entry: "sysenter", cpu: "core2" },
  { name: "ring 0", ring: 0, entry: "sysenter", cpu: "pentium4" },
] as const)("$name", (way) => {
  it("prints what it printed there", () => {
    const { out, exit } = run({ "/bin/state": file("state") }, ["/bin/state"], way);
    const status = exit.kind === "exit" ? `status ${exit.code}\n` : `${JSON.stringify(exit)}\n`;
    expect((out + status).split("\n")).toEqual(new TextDecoder().decode(file("state.txt")).split("\n"));
  });
});
