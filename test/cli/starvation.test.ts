// docs/stack-starvation.md is what `kmlab starvation` prints: `npx --no kmlab starvation > docs/stack-starvation.md` renews it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { kmlab, ROOT } from "./kmlab.ts";
import { hasPackages } from "./packages.ts";

it.runIf(hasPackages)("docs/stack-starvation.md is up to date", () => {
  const { status, stdout, stderr } = kmlab(["starvation"]);
  expect(`${status} ${stderr}`.trim()).toBe("0");
  expect(stdout).toBe(readFileSync(join(ROOT, "docs", "stack-starvation.md"), "utf8"));
});
