// docs/trace-format.md says what the code does: its tables come from the schema and its example from a trace that is written,
// read and shown here. `npx vitest run test/traces/docs.test.ts -u` brings the page up to date.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, expect, it } from "vitest";
import { fieldTables, fillBlocks, metaTable } from "../../src/traces/docs.ts";
import { callNames, readTrace, writeTrace } from "../../src/traces/node.ts";
import { report } from "../../src/traces/show/report.ts";
import { summarize } from "../../src/traces/show/summary.ts";
import { exampleTrace } from "./example.ts";

const root = mkdtempSync(join(tmpdir(), "kmlab-docs-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function fenced(text: string, language = ""): string {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``;
}

it("docs/trace-format.md is up to date", async () => {
  const page = fileURLToPath(new URL("../../docs/trace-format.md", import.meta.url));
  const dir = join(root, "hello.kmtrace");
  writeTrace(dir, exampleTrace());
  const csv = readdirSync(dir)
    .filter((name) => /^(events|edges|tasks)\.csv/.test(name))
    .map((name) => {
      const bytes = readFileSync(join(dir, name));
      return `${name}\n\n${fenced((name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString())}`;
    });
  const { kmlab } = JSON.parse(readFileSync(join(dir, "datapackage.json"), "utf8")) as { kmlab: unknown };
  const trace = readTrace(dir);
  const filled = fillBlocks(readFileSync(page, "utf8"), {
    fields: fieldTables(),
    metadata: metaTable(),
    "example-tables": csv.join("\n\n"),
    "example-metadata": fenced(JSON.stringify(kmlab, null, 2), "json"),
    "example-show": fenced(report(trace, summarize(trace, callNames()), (text) => text)),
  });
  await expect(filled).toMatchFileSnapshot(page);
});
