// Builds the notebooks into build/notebooks, and serves them: npm run notebooks, npm run notebooks:dev. Nothing comes from a network.
import { readdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { observable } from "@observablehq/notebook-kit/vite";
import { defineConfig, type Plugin, type Rolldown } from "vite";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const NOTEBOOKS = join(ROOT, "notebooks");

/** Where notebook-kit's standard library takes its libraries from: a package, and a file of it. */
const CDN = /^https:\/\/cdn\.jsdelivr\.net\/npm\/((?:@[^/]+\/)?[^/@]+)(?:@[^/]+)?(\/.*)?$/;
/** Browsers ask a server for an icon unless a page names one. */
const NO_ICON = '<link rel="icon" href="data:,">';
const ABSENT = "\0absent";

/** A module of that library as an installed one; one that is not installed becomes a module that says so when a cell uses it. */
function installed(id: string): string | undefined {
  const name = CDN.exec(id)?.[1];
  if (name === undefined) return undefined;
  try {
    return fileURLToPath(import.meta.resolve(name));
  } catch {
    return `${ABSENT}/${name}`;
  }
}

function absent(id: string): string | undefined {
  if (!id.startsWith(ABSENT)) return undefined;
  return `throw new Error(${JSON.stringify(`${id.slice(ABSENT.length + 1)} is not installed`)});`;
}

/** The same for style sheets that its style sheets import. */
function localStyles(code: string): string {
  const file = /https:\/\/cdn\.jsdelivr\.net\/npm\/([^"')]+)/g;
  return code.replaceAll(file, (_, name: string) => fileURLToPath(import.meta.resolve(name)));
}

function offline(): Plugin {
  return {
    name: "kmlab:offline",
    enforce: "pre",
    resolveId: (id) => installed(id),
    load: absent,
    transform: (code, id) =>
      /\.css($|\?)/.test(id) && code.includes("cdn.jsdelivr.net") ? localStyles(code) : undefined,
  };
}

/** What the bundler says of libraries that are not installed, and of its own time. */
const QUIET: ReadonlySet<string | undefined> = new Set(["SHIMMED_EXPORT", "PLUGIN_TIMINGS"]);

/** Libraries that are not installed miss every export, which is found out when a cell asks for one. */
const BUNDLING: Pick<Rolldown.RolldownOptions, "shimMissingExports" | "onLog"> = {
  shimMissingExports: true,
  onLog: (level, log, handle) => {
    if (!QUIET.has(log.code)) handle(level, log);
  },
};

/** Files of notebook-kit, which pages name by observable:FILE. */
const KIT = fileURLToPath(new URL("..", import.meta.resolve("@observablehq/notebook-kit/vite")));

export default defineConfig({
  base: "./",
  appType: "mpa",
  resolve: { alias: [{ find: /^observable:/, replacement: KIT }] },
  root: NOTEBOOKS,
  plugins: [offline(), observable({ transformTemplate: (page) => page.replace("</head>", `${NO_ICON}</head>`) })],
  // The packages may be elsewhere, behind a link.
  server: { fs: { allow: [ROOT, realpathSync(join(ROOT, "node_modules"))] } },
  // What the development server bundles beforehand goes past Vite's plugins.
  optimizeDeps: {
    rolldownOptions: {
      ...BUNDLING,
      plugins: [{ name: "kmlab:offline", resolveId: (id: string) => installed(id), load: absent }],
    },
  },
  worker: { format: "es" },
  build: {
    outDir: join(ROOT, "build", "notebooks"),
    emptyOutDir: true,
    target: "es2023",
    rolldownOptions: {
      ...BUNDLING,
      input: readdirSync(NOTEBOOKS)
        .filter((name) => name.endsWith(".html"))
        .map((name) => join(NOTEBOOKS, name)),
    },
  },
});
