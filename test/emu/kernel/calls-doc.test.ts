// docs/system-calls.md lists what the table of calls has; `npx vitest run test/emu/kernel/calls-doc.test.ts -u` brings it up to date.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { SYSCALLS, type SyscallEntry } from "../../../src/emu/kernel/syscalls.ts";
import { fillBlocks } from "../../../src/traces/docs.ts";

const WIDTH = 140;

/** Names in order, filled to lines of the page's width. */
function paragraph(entries: readonly SyscallEntry[]): string {
  const lines = [""];
  for (const { name } of entries) {
    const last = lines[lines.length - 1];
    if (last.length + name.length + 1 > WIDTH) lines.push(name);
    else lines[lines.length - 1] = last === "" ? name : `${last} ${name}`;
  }
  return `${entries.length}:\n\n${lines.join("\n")}`;
}

it("docs/system-calls.md is up to date", async () => {
  const page = fileURLToPath(new URL("../../../docs/system-calls.md", import.meta.url));
  const entries = SYSCALLS.filter((entry) => entry !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
  const text = fillBlocks(readFileSync(page, "utf8"), {
    calls: paragraph(entries.filter(({ fn }) => fn !== undefined)),
    special: paragraph(entries.filter(({ special }) => special)),
    missing: paragraph(entries.filter(({ fn }) => fn === undefined)),
  });
  await expect(text).toMatchFileSnapshot(page);
});
