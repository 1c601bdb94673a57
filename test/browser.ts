// A Chromium for tests that open a page, where there is one.
import { spawnSync } from "node:child_process";
import process from "node:process";
import { type Browser, chromium } from "playwright-core";

/** Where a Chromium is; undefined: on this host there is none, which is said. KMLAB_CHROMIUM names another. */
export const browserPath: string | undefined = [
  process.env["KMLAB_CHROMIUM"],
  "chromium",
  "chromium-browser",
  "google-chrome",
].find((name) => name !== undefined && spawnSync(name, ["--version"]).status === 0);

if (browserPath === undefined) process.stderr.write("skipping what needs a browser: no chromium here\n");

/** Opens it without a window; WebGL is drawn by software. */
export function openBrowser(): Promise<Browser> {
  const found = spawnSync("sh", ["-c", `command -v "${browserPath}"`], { encoding: "utf8" }).stdout.trim();
  return chromium.launch({ executablePath: found, args: ["--no-sandbox", "--enable-unsafe-swiftshader"] });
}
