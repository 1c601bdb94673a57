// Do programs about memory, signals, processes and threads see in kmlab what they see on a real kernel, however they enter it?
import { describe, expect, it } from "vitest";
import { fixture, run } from "./image.ts";

const WAYS = [
  { name: "ring 3 by int80", ring: 3, entry: "int80" },
  { name: "ring 3 by sysenter", ring: 3, entry: "sysenter" },
  { name: "ring 0", ring: 0, entry: "sysenter" },
] as const;

describe.each(WAYS)("$name", (way) => {
  it.each(["mm", "signals", "processes", "threads"])("%s", (name) => {
    const { out, exit, missing } = run({ [`/bin/${name}`]: fixture(name) }, [`/bin/${name}`], way);
    const status = exit.kind === "exit" ? `status ${exit.code}\n` : `${JSON.stringify(exit)}\n`;
    expect(out + status).toBe(new TextDecoder().decode(fixture(`${name}.txt`)));
    expect(missing).toEqual([]);
  });
});

it("gives the same run again, to the instruction", () => {
  const once = () => {
    const { out, instructions, kernel } = run({ "/bin/threads": fixture("threads") }, ["/bin/threads"]);
    return { out, instructions, clock: kernel.clock.now(), switches: kernel.sched.switches };
  };
  expect(once()).toEqual(once());
});

it.each(WAYS)("gives back every frame: $name", (way) => {
  const { kernel } = run({ "/bin/processes": fixture("processes") }, ["/bin/processes"], way);
  // What is left is the page cache, the zero page and nothing else: all processes are gone.
  expect(kernel.frames.managed - kernel.frames.free).toBe(kernel.vfs.cache.cached + 1);
  expect([...kernel.tasks.values()].filter((t) => t.alive).map((t) => t.comm)).toEqual(["init"]);
});
