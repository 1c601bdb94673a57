// The notebooks: built without a network, and opened in a browser where there is one, in which each figure is drawn, as in docs/
// where it is there, its verdicts are those of data/claims.csv, and a slider moved changes the drawing.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Browser, Page } from "playwright-core";
import { type PreviewServer, preview } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readClaims } from "../../notebooks/claims.ts";
import { FIGURES } from "../../notebooks/figures.ts";
import { browserPath, openBrowser } from "../browser.ts";
import { ROOT } from "../cli/kmlab.ts";

/** Whoever reaches for a network from a process that begins with this falls. */
const NO_NETWORK = `import net from "node:net";
net.Socket.prototype.connect = () => { throw new Error("the network was asked for"); };`;

/** Figures by page. */
const pages = new Map(
  readdirSync(join(ROOT, "notebooks"))
    .filter((name) => name.endsWith(".html"))
    .map((name): [string, string[]] => {
      const text = readFileSync(join(ROOT, "notebooks", name), "utf8");
      return [name, [...text.matchAll(/shown\("([^"]+)"/g)].map(([, id]) => id)];
    }),
);

/** Node without a network. */
function offline(...words: string[]): string {
  const refuse = `data:text/javascript,${encodeURIComponent(NO_NETWORK)}`;
  const run = spawnSync(process.execPath, ["--import", refuse, ...words], { cwd: ROOT, encoding: "utf8" });
  return `${run.status} ${run.stderr}`;
}

/** Pages whose figures replay programs many times: opened in the slow suite. */
const LONG: ReadonlySet<string> = new Set(["programs.html", "sensitivity.html", "starvation-and-memory.html"]);
const opened = [...pages].filter(([name]) => process.env["KMLAB_SLOW"] || !LONG.has(name));

/** What is written in a picture. */
function words(svg: string): string[] {
  return svg
    .replace(/<style.*?<\/style>/gs, "")
    .split(/<[^>]*>|\n/)
    .filter((word) => word.trim() !== "");
}

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kmlab-notebooks-"));
  const vite = join(ROOT, "node_modules", "vite", "bin", "vite.js");
  const words = ["build", "--config", "scripts/notebooks.config.ts", "--outDir", folder, "--logLevel", "warn"];
  expect(offline(vite, ...words)).toBe("0 ");
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("the build", () => {
  it("is one that a network asked for would have ended", () => {
    expect(offline("-e", `fetch("http://127.0.0.1:8080")`)).toContain("the network was asked for");
  });

  it("has every figure in one notebook", () => {
    expect([...pages.values()].flat().sort()).toEqual(FIGURES.map(({ id }) => id).sort());
    expect(readdirSync(folder).filter((name) => name.endsWith(".html"))).toEqual([...pages.keys()]);
  });

  it("imports nothing from elsewhere", () => {
    const texts = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(html|js|css)$/.test(name))
      .map((name) => readFileSync(join(folder, name), "utf8"));
    const foreign = /(?:import\s*\(\s*|from\s*|import\s*|url\(\s*|src=|href=)["'`]?(?:https?:)?\/\/[^"'`\s)]+/g;
    expect(texts.flatMap((text) => text.match(foreign) ?? [])).toEqual([]);
    expect('import(`https://a`) @import url(//b) <script src="http://c">'.match(foreign)).toHaveLength(3);
  });
});

describe.runIf(browserPath !== undefined)("in a browser", () => {
  const committed = new Map(
    readClaims(readFileSync(join(ROOT, "data", "claims.csv"), "utf8")).map(({ id, verdict }) => [
      `claim-${id}`,
      verdict,
    ]),
  );
  let [server, browser]: [PreviewServer?, Browser?] = [];
  let origin = "";
  const faults: string[] = [];

  beforeAll(async () => {
    server = await preview({
      configFile: false,
      logLevel: "silent",
      root: ROOT,
      build: { outDir: folder },
      preview: { host: "127.0.0.1", port: 0 },
    });
    origin = `http://127.0.0.1:${(server.httpServer.address() as AddressInfo).port}`;
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  /** A page that may ask nobody but the server, and whose complaints are collected. */
  async function open(name: string): Promise<Page> {
    const page = await browser!.newPage();
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) faults.push(message.text());
    });
    await page.route(
      (url) => url.origin !== origin && url.protocol !== "data:",
      (route) => {
        faults.push(`asked for ${route.request().url()}`);
        return route.abort();
      },
    );
    await page.goto(`${origin}/${name}`);
    return page;
  }

  it.each(opened)(
    "%s: each figure, its verdicts, and a slider that changes it",
    { timeout: 60_000 },
    async (name, ids) => {
      const page = await open(name);
      for (const id of ids) {
        const figure = page.locator(`#figure-${id}`);
        await figure.waitFor();
        const verdicts = await figure
          .locator("tbody tr")
          .evaluateAll((rows) => rows.map(({ id, children }) => [id, children[0].textContent]));
        expect(verdicts.length).toBeGreaterThan(0);
        for (const [claim, verdict] of verdicts)
          expect(`${claim} ${verdict}`).toBe(`${claim} ${committed.get(claim!)}`);
        const before = await figure.locator("svg").evaluate((svg) => svg.outerHTML);
        expect(before).not.toMatch(/NaN|undefined/);
        const committedPicture = join(ROOT, "docs", "figures", `${id}.svg`);
        if (existsSync(committedPicture)) expect(words(before)).toEqual(words(readFileSync(committedPicture, "utf8")));
        const slider = page.locator(`#controls-${id} input[type=range]`).first();
        if ((await slider.count()) > 0) await slider.press("PageUp");
        else await page.locator(`#controls-${id} select`).first().selectOption({ index: 1 });
        await figure.getByText("Changed:").waitFor();
        expect(await figure.locator("svg").evaluate((svg) => svg.outerHTML)).not.toBe(before);
      }
      await page.close();
      expect(faults).toEqual([]);
    },
  );

  it.runIf(process.env["KMLAB_SLOW"])("a cell that asks the model itself gets what it asked for", async () => {
    const page = await open("programs.html");
    const answer = page.locator("#answer");
    await answer.getByText("replayed on one CPU").waitFor();
    await page.locator("form", { hasText: "CPUs" }).locator("input[type=range]").press("End");
    await answer.getByText("replayed on 4 CPUs").waitFor();
    await page.close();
    expect(faults).toEqual([]);
  });

  it("a request to elsewhere would be seen", async () => {
    const page = await open("index.html");
    await page.evaluate(() => fetch("https://kmlab.invalid/").catch(() => undefined));
    await page.close();
    expect(faults.splice(0)).toContain("asked for https://kmlab.invalid/");
  });
});
