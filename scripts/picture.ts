// npx tsx scripts/picture.ts EXPORT.json FOLDER PICTURE.png: opens a Perfetto export in Trace Viewer, the page behind chrome://tracing,
// and keeps what it shows. FOLDER has trace_viewer_full.html and webcomponents.min.js: static/ of go tool trace before Go 1.21, as in
// Debian's golang-1.19-src. Needs a Chromium.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { openBrowser } from "../test/browser.ts";

const [file, folder, picture] = process.argv.slice(2);
if (picture === undefined) throw new Error("usage: npx tsx scripts/picture.ts EXPORT.json FOLDER PICTURE.png");

/** Makes a viewer of the whole window as soon as its elements are there, and gives it the trace. */
const PAGE = `<!doctype html><script src="/webcomponents.min.js"></script><link rel="import" href="/trace_viewer_full.html">
<style>html, body, #trace-viewer { margin: 0; height: 100%; overflow: hidden }</style><body><script>
document.addEventListener("WebComponentsReady", async () => {
  const viewer = document.createElement("tr-ui-timeline-view");
  viewer.track_view_container = document.createElement("track-view-container");
  viewer.track_view_container.id = "track_view_container";
  Polymer.dom(viewer).appendChild(viewer.track_view_container);
  viewer.id = "trace-viewer";
  viewer.globalMode = true;
  Polymer.dom(document.body).appendChild(viewer);
  const model = new tr.Model();
  await new tr.importer.Import(model).importTracesWithProgressDialog([await (await fetch("/trace.json")).text()]);
  viewer.model = model;
  document.title = "ready";
});
</script>`;

const contents: Readonly<Record<string, () => [string, string | Buffer]>> = {
  "/": () => ["text/html", PAGE],
  "/trace.json": () => ["application/json", readFileSync(file)],
  "/webcomponents.min.js": () => ["text/javascript", readFileSync(join(folder, "webcomponents.min.js"))],
  "/trace_viewer_full.html": () => ["text/html", readFileSync(join(folder, "trace_viewer_full.html"))],
};
const server = createServer((request, response) => {
  const [type, content] = contents[request.url ?? ""]?.() ?? ["text/plain", ""];
  response.writeHead(200, { "content-type": type }).end(content);
}).listen(0, "127.0.0.1");
await new Promise((listening) => server.once("listening", listening));
const browser = await openBrowser();
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 960 } });
  page.on("pageerror", (error) => process.stderr.write(`${error}\n`));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction(() => document.title === "ready", undefined, { timeout: 60_000 });
  await page.getByText("Hide", { exact: true }).click();
  await page.getByText("Flow events", { exact: true }).first().click();
  for (const box of await page.locator("input[type=checkbox]").all()) if (await box.isVisible()) await box.check();
  await page.keyboard.press("Escape");
  await page.mouse.click(700, 900);
  await page.waitForTimeout(2000);
  await page.screenshot({ path: picture, clip: { x: 0, y: 0, width: 1170, height: 676 } });
} finally {
  await browser.close();
  server.close();
}
