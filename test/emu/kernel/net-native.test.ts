// Do calls on TCP and UDP sockets return what a real kernel returned, however the program enters ours?
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { run } from "./proc/image.ts";

const FIXTURES = new URL("../../fixtures/net/", import.meta.url);
const file = (name: string) => new Uint8Array(readFileSync(new URL(name, FIXTURES)));

describe.each([
  { name: "ring 3 by int80", ring: 3, entry: "int80" },
  { name: "ring 3 by sysenter", ring: 3, entry: "sysenter" },
  { name: "ring 0", ring: 0, entry: "sysenter" },
] as const)("$name", (way) => {
  it("what each call returns", () => {
    const { out, exit } = run({ "/bin/inet": file("inet") }, ["/bin/inet"], way);
    const status = exit.kind === "exit" ? `status ${exit.code}\n` : `${JSON.stringify(exit)}\n`;
    expect((out + status).split("\n")).toEqual(new TextDecoder().decode(file("inet.txt")).split("\n"));
  });
});
