// speedscope's format is what speedscope says it is: by the schema in its package and, where there is a browser, by its own page.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { Ajv } from "ajv";
import { afterAll, describe, expect, test } from "vitest";
import { modelData } from "../../../src/model/data-node.ts";
import { Pair } from "../../../src/model/pair.ts";
import { compile } from "../../../src/model/program.ts";
import { replayedScene } from "../../../src/model/scene.ts";
import { recordedScene } from "../../../src/traces/exporters/recorded.ts";
import { toSpeedscope } from "../../../src/traces/exporters/speedscope.ts";
import { callNames, readTrace } from "../../../src/traces/node.ts";
import { browserPath, openBrowser } from "../../browser.ts";
import { ROOT } from "../../cli/kmlab.ts";
import { importSample } from "../importers/samples.ts";

const release = join(dirname(createRequire(import.meta.url).resolve("speedscope/package.json")), "dist/release");
const schema = JSON.parse(readFileSync(join(release, "file-format-schema.json"), "utf8")) as object;
const isFile = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);

const data = modelData();
const calls = callNames();
const trace = readTrace(join(ROOT, "data/traces/pipe-ring3.kmtrace"));
const nameOf = (nr: number, abi: number): string => calls.name(nr, abi);

function replayed(mechanism: string): string {
  const [profile, kernel] = [data.profiles.get("p4")!, data.kernels.get("kml-4.0")!];
  return toSpeedscope(
    replayedScene(new Pair(compile(trace, data), data, profile, kernel, [mechanism]), mechanism, trace),
  );
}

const files: [string, string][] = [
  ["a capture as recorded", toSpeedscope(recordedScene(trace, nameOf))],
  ["an import as recorded", toSpeedscope(recordedScene(importSample("strace-edge-ttt-T.txt").trace, nameOf))],
  ["by int80", replayed("int80")],
  ["by kml", replayed("kml")],
];

test.each(files)("%s is valid by the schema", (_, text) => {
  isFile(JSON.parse(text));
  expect(isFile.errors ?? []).toEqual([]);
});

test("the schema refuses what is no such file", () => {
  const file = JSON.parse(files[0][1]) as { profiles: { events: { type: string }[] }[] };
  file.profiles[0].events[0].type = "X";
  expect(isFile(file)).toBe(false);
});

describe.runIf(process.env["KMLAB_SLOW"] && browserPath !== undefined)("in speedscope's own page", () => {
  const folder = mkdtempSync(join(tmpdir(), "kmlab-speedscope-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(files)("%s opens with all its profiles", { timeout: 60_000 }, async (_, text) => {
    const { name, profiles } = JSON.parse(text) as { name: string; profiles: { name: string }[] };
    const path = join(folder, "profile.speedscope.json");
    writeFileSync(path, text);
    const browser = await openBrowser();
    try {
      const page = await browser.newPage();
      const faults: string[] = [];
      page.on("pageerror", (error) => faults.push(String(error)));
      page.on("dialog", (dialog) => {
        faults.push(dialog.message());
        void dialog.dismiss();
      });
      await page.goto(pathToFileURL(join(release, "index.html")).href);
      await page.locator("input[type=file]").setInputFiles(path);
      await page.getByText(`(1/${profiles.length})`).waitFor();
      expect(await page.title()).toBe(`${name} - speedscope`);
      expect(await page.locator("body").innerText()).toContain(profiles[0].name);
      expect(await page.locator("canvas").count()).toBeGreaterThan(0);
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
