// Sequences of call numbers: ADFA-LD and UNM, numbers of other systems, and what is in no table.
import { describe, expect, it } from "vitest";
import { readNames } from "../../../src/traces/importers/numbers.ts";
import { callsOf, imported, text } from "./samples.ts";

describe("number sequences", () => {
  it("ADFA-LD: a process a file, i386 numbers", () => {
    const { trace, report } = imported([text("6 63 6 42 \n", "a.txt"), text("120 252", "b.txt")]);
    expect(report.format).toBe("numbers");
    expect(callsOf(trace, 0)).toEqual(["close=?", "dup2=?", "close=?", "pipe=?"]);
    expect(callsOf(trace, 1)).toEqual(["clone=?", "exit_group=?"]);
    expect(report.fidelity.times).toMatch(/^none/);
  });

  it("the first calls of ADFA-LD's UTD-0001, and of the UNM inetd set, whose lines end in blanks", () => {
    const adfa = "6 6 63 6 42 120 6 195 120 6 6 114 114 1 1 252 252 252 1 1 1 1 1 1 1 1 1 252 252 252 ";
    const calls = callsOf(imported([text(adfa)]).trace, 0).map((call) => call.slice(0, -2));
    expect(calls.slice(0, 12).join(" ")).toBe("close close dup2 close pipe clone close stat64 clone close close wait4");
    const { trace, report } = imported([text("167 90  \n167 125  \n167 106  \n168 66  \n168 102  \n")]);
    expect(report.unknownCalls).toEqual([]);
    expect(callsOf(trace, 0)).toEqual(["mmap=?", "mprotect=?", "stat=?"]);
    expect(callsOf(trace, 1)).toEqual(["setsid=?", "socketcall=?"]);
  });

  it("another system's numbers are named by a list", () => {
    const names = readNames("exit\nfork\nread\n");
    expect(readNames("0 exit\n1 fork\n2 read\n")).toEqual(names);
    const { trace, report } = imported([text("7 2\n7 1\n7 3\n")], { names });
    expect(callsOf(trace, 0)).toEqual(["read=?", "fork=?", "?=?"]);
    expect(report.unknownCalls).toEqual([{ name: "call_3", count: 1 }]);
    expect(() => readNames("exit\n-\n")).toThrow(/^line 2: this is no name/);
  });

  it("UNM: pid and number a line; numbers in no table are said", () => {
    const { trace, report } = imported([text("7174 66\n7174 4\n7175 9999\n")]);
    expect(callsOf(trace, 0)).toEqual(["setsid=?", "write=?"]);
    expect(report.unknownCalls).toEqual([{ name: "call 9999", count: 1 }]);
  });
});
