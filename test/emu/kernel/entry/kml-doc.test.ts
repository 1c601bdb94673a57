// docs/kml.md's table of passages is what the emulator counts: `npx vitest run test/emu/kernel/entry/kml-doc.test.ts -u` brings it
// up to date.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { fillBlocks } from "../../../../src/traces/docs.ts";
import { onePassage, PASSAGES } from "../../capture/passages.ts";

const HEADINGS = [
  "path",
  "what",
  "kernel",
  "instructions",
  "descriptor loads",
  "pushes",
  "levels",
  "TLB drops",
  "task switches",
  "port accesses",
];

it("docs/kml.md is up to date", async () => {
  const page = fileURLToPath(new URL("../../../../docs/kml.md", import.meta.url));
  const rows = PASSAGES.map((passage) => {
    const [times, ...cells] = onePassage(passage);
    expect(times).toBe(1);
    return [passage.path, passage.what, `\`${passage.kernel}\``, ...cells.map(String)];
  });
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const ruler = HEADINGS.map((_, i) => (i < 3 ? "---" : "---:"));
  const table = [line(HEADINGS), line(ruler), ...rows.map(line)].join("\n");
  await expect(fillBlocks(readFileSync(page, "utf8"), { passages: table })).toMatchFileSnapshot(page);
});
