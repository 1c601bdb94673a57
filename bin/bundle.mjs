// Bundles the TypeScript sources and the packages they use into a script for the command line and one for its worker threads; the launcher
// asks for them when they have changed.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import process from "node:process";

/**
 * Modules find data/ beside their source, and packages find their own files: each keeps its address, from wherever the bundle lies.
 * @param addressed an expression for the address of a file of the package, given as a string in quotes
 */
export function keepAddresses(home, addressed) {
  return {
    name: "keep-addresses",
    setup(esbuild) {
      esbuild.onLoad({ filter: /\.(ts|js|mjs)$/ }, ({ path }) => {
        const packages = path.lastIndexOf(`${sep}node_modules${sep}`);
        const own = packages < 0 ? relative(home, path) : path.slice(packages + 1);
        return {
          contents: readFileSync(path, "utf8").replaceAll(
            "import.meta.url",
            addressed(JSON.stringify(own.replaceAll(sep, "/"))),
          ),
          loader: path.endsWith(".ts") ? "ts" : "js",
        };
      });
    },
  };
}

/**
 * What yargs measures its help with makes sets of all Unicode's properties when it is loaded, and yargs lays its help out
 * before every command: plain text is as wide as it is long, and for other text the package is loaded then.
 */
const plainWidths = (home) => ({
  name: "plain-widths",
  setup(esbuild) {
    const namespace = "plain-width";
    esbuild.onResolve({ filter: /^string-width$/ }, ({ resolveDir, namespace: from }) =>
      // The path is written into the bundle.
      from === namespace ? undefined : { path: relative(home, resolveDir), namespace, pluginData: resolveDir },
    );
    esbuild.onLoad({ filter: /./, namespace }, ({ pluginData: resolveDir }) => ({
      contents: `module.exports = (text, options) => {
        if (/^[ -~]*$/.test(text)) return text.length;
        const real = require("string-width");
        return (real.default ?? real)(text, options);
      };`,
      resolveDir,
    }));
  },
});

/** Puts what can be made now in the place of modules that are empty otherwise. */
export async function preparing(esbuild, sources) {
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(sources, "emu", "prepare.ts")],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "error",
  });
  const { prepared } = await import(
    `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`
  );
  const texts = prepared();
  return {
    name: "preparing",
    setup(build) {
      for (const [module, contents] of Object.entries(texts)) {
        const path = join(sources, "emu", ...module.split("/"));
        const filter = new RegExp(`^${path.replace(/\W/g, "\\$&")}$`);
        build.onLoad({ filter }, () => ({ contents, loader: "js" }));
      }
    },
  };
}

/**
 * Bundles into a folder of its own and renames it, so that launchers running side by side never see half a bundle.
 * @param sources the folder of the sources
 * @param folder where the scripts will be, as main.cjs and worker.cjs
 * @param sourcemap whether with maps to the sources
 * @param ready what preparing() gave, if somebody has it
 */
export async function bundle(sources, folder, sourcemap = true, ready = undefined) {
  const esbuild = await import("esbuild").catch(() => {
    console.error("kmlab: packages are not installed; run `npm ci` in the checkout first");
    process.exit(125);
  });
  const draft = `${folder}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  try {
    await esbuild.build({
      entryPoints: {
        main: join(sources, "cli", "main.ts"),
        worker: join(sources, "model", "sweep", "worker-node.ts"),
      },
      bundle: true,
      format: "cjs",
      platform: "node",
      target: "node20",
      outdir: draft,
      outExtension: { ".js": ".cjs" },
      banner: { js: "(function (require, module, exports, addressOf) {" },
      footer: { js: "})" },
      sourcemap: sourcemap && "linked",
      logLevel: "error",
      plugins: [
        ready ?? (await preparing(esbuild, sources)),
        keepAddresses(dirname(sources), (own) => `addressOf(${own})`),
        plainWidths(dirname(sources)),
      ],
    });
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}
