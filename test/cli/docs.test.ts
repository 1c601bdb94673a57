// Every kmlab command that README.md and docs/ show is run, in the order of the page, and must end with the status the page says.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { kmlab, kmlabLine, ROOT } from "./kmlab.ts";
import { hasPackages } from "./packages.ts";

/** Commands of a page's ```sh blocks that call kmlab; a comment `# status N` says with which status one ends (default 0). */
function commands(page: string): { verb: string; status: number; line: string }[] {
  const blocks = readFileSync(join(ROOT, page), "utf8").matchAll(/```sh\n(.*?)```/gs);
  const lines = [...blocks].flatMap(([, block]) => block.split("\n")).map((line) => line.trim());
  return lines
    .filter((line) => line.startsWith("npx --no kmlab "))
    .map((line) => ({
      line,
      verb: line.split(/\s+/)[3],
      status: Number(/\s# status (\d+)/.exec(line)?.[1] ?? 0),
    }));
}

const pages = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith(".md"),
);

describe.each(pages)("%s", (page) => {
  for (const { line, status } of commands(page)) {
    it.runIf(hasPackages)(line, () => {
      const outcome = kmlabLine(line);
      expect(`${outcome.status} ${outcome.status === status ? "" : outcome.stderr}`.trim()).toBe(String(status));
    });
  }
  it("names only verbs that exist", () => {
    const help = kmlab(["--help"]).stdout;
    for (const { verb } of commands(page)) expect(help).toContain(`kmlab ${verb} `);
  });
});
