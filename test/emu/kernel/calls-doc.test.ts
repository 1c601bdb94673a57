// docs/syscalls.md lists what the table of calls has; `npx vitest run test/emu/kernel/calls-doc.test.ts -u` brings it up to date.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ERRNO_NAMES } from "../../../src/emu/kernel/errno.ts";
import { REFUSALS } from "../../../src/emu/kernel/refused.ts";
import { SYSCALLS, type SyscallEntry, syscallByName } from "../../../src/emu/kernel/syscalls.ts";
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

/** A row a reason: the error, its calls, why. */
function refusals(): string {
  const rows = REFUSALS.map(
    ({ errno, why, names }) => `| \`${ERRNO_NAMES.get(errno)}\` | ${names.join(" ")} | ${why} |`,
  );
  return ["| error | calls | why |", "|---|---|---|", ...rows].join("\n");
}

it("every refusal is of a call that has no body", () => {
  const names = REFUSALS.flatMap((refusal) => refusal.names);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(syscallByName(name)?.refused, name).toBeDefined();
});

it("docs/syscalls.md is up to date", async () => {
  const page = fileURLToPath(new URL("../../../docs/syscalls.md", import.meta.url));
  const entries = SYSCALLS.filter((entry) => entry !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
  const text = fillBlocks(readFileSync(page, "utf8"), {
    calls: paragraph(entries.filter(({ fn, refused }) => fn !== undefined && !refused)),
    special: paragraph(entries.filter(({ special }) => special)),
    refused: refusals(),
    missing: paragraph(entries.filter(({ fn, refused }) => fn === undefined && !refused)),
  });
  await expect(text).toMatchFileSnapshot(page);
});
