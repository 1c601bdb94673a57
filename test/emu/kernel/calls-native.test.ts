// Do the calls of the less common subsystems return what a real kernel returned, in ring 3 and in ring 0?
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { run } from "./proc/image.ts";

const FIXTURES = new URL("../../fixtures/calls/", import.meta.url);
const file = (name: string) => new Uint8Array(readFileSync(new URL(name, FIXTURES)));

describe.each([
  { name: "ring 3", ring: 3 },
  { name: "ring 0", ring: 0 },
] as const)("$name", ({ ring }) => {
  it.each([
    ["timerfd and signalfd", "timers"],
    ["System V IPC", "sysv"],
    ["inotify", "inotify"],
    ["netlink", "netlink"],
    ["ptrace", "ptrace"],
    ["directories that signal", "dnotify"],
    ["what UDP tells of packets", "packets"],
    ["pseudoterminals", "pty"],
    ["pipes that are copied", "tee"],
    ["descriptors that nobody takes", "carried"],
    ["edges on UNIX sockets", "edges"],
    ["files that signal", "sigio"],
    ["bytes that go through pipes", "splice"],
    ["futexes with an owner", "pi"],
    ["ptrace without a stop, in stops, of registers", "seize"],
    ["POSIX queues, pidfds and others", "posix"],
  ])("%s", (_what, name) => {
    same(name, ring);
  });
});

it("single steps of a traced program, which only ring 3 takes", () => same("steps", 3));
it("breakpoints in the debug registers, which only ring 3 takes", () => same("watch", 3));

/** Runs a program and compares what it prints with the recording. */
function same(name: string, ring: 0 | 3): void {
  const path = `/bin/${name}`;
  const { out, exit } = run({ [path]: file(name) }, [path], { ring });
  const status = exit.kind === "exit" ? `status ${exit.code}\n` : `${JSON.stringify(exit)}\n`;
  expect((out + status).split("\n")).toEqual(new TextDecoder().decode(file(`${name}.txt`)).split("\n"));
}
