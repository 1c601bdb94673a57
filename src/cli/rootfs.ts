// kmlab rootfs: fetches, imports, lists and checks the roots that guests run in.
import process from "node:process";
import cliProgress from "cli-progress";
import type { Argv, CommandModule } from "yargs";
import type { Progress } from "../emu/rootfs/progress.ts";
import { addPackages, importRoot, listRoots, type RootLocation, rootFor } from "../emu/rootfs/roots-node.ts";
import { verifyImage } from "../emu/rootfs/store-node.ts";

/** A progress bar on standard error if that is a terminal; undefined otherwise. */
export function progressBar(): Progress | undefined {
  if (!process.stderr.isTTY) return undefined;
  let bar: cliProgress.SingleBar | undefined;
  return {
    begin(what, total, unit) {
      const isBytes = unit === "bytes";
      const megabytes = (n: number) => (n / 1e6).toFixed(1);
      bar = new cliProgress.SingleBar(
        {
          stream: process.stderr,
          clearOnComplete: true,
          hideCursor: true,
          format: `{bar} {percentage}% ${what}${isBytes ? " {value}/{total} MB" : ""}`,
          formatValue: (value, _options, type) => (isBytes && type !== "percentage" ? megabytes(value) : String(value)),
        },
        cliProgress.Presets.shades_classic,
      );
      bar.start(total, 0);
    },
    at: (done) => bar?.update(done),
    end() {
      bar?.stop();
      bar = undefined;
    },
    note: (text) => process.stderr.write(`${text}\n`),
  };
}

function print(json: boolean, data: object, text: string): void {
  process.stdout.write(json ? `${JSON.stringify(data)}\n` : `${text}\n`);
}

function describe(root: RootLocation): string {
  const packages = root.packages.length > 0 ? `${root.packages.length} packages, ` : "";
  return `${root.name}: ${packages}digest ${root.digest.slice(0, 16)}\n${root.directory}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function table(rows: string[][]): string {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((r) => r[c].length)));
  return rows
    .map((r) =>
      r
        .map((cell, c) => cell.padEnd(widths[c]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const jsonOption = { type: "boolean", default: false, describe: "print one JSON object" } as const;

export const command: CommandModule = {
  command: "rootfs",
  describe: "fetch, import, list and check the roots that guests run in",
  builder: (y: Argv) =>
    y
      .command(
        "add [package..]",
        "fetch Debian bookworm i386 packages and all they depend on",
        (a) =>
          a
            .positional("package", { type: "string", array: true, default: [] as string[], describe: "package names" })
            .option("name", { type: "string", describe: "the root to add to (default: added, which runs then use)" })
            .option("update", {
              type: "boolean",
              default: false,
              describe: "choose the newest versions, write the lock anew",
            })
            .option("json", jsonOption),
        async (o) => {
          const { name, update, json } = o;
          const root = await addPackages(o.package, { name, update, progress: progressBar() });
          print(json, root, describe(root));
        },
      )
      .command(
        "import <from>",
        "make a root of a directory or a tar archive",
        (a) =>
          a
            .positional("from", {
              type: "string",
              demandOption: true,
              describe: "directory or .tar[.gz|.xz|.bz2|.zst]",
            })
            .option("name", { type: "string", describe: "what to call it (default: the file's name)" })
            .option("json", jsonOption),
        async ({ from, name, json }) => {
          const root = await importRoot(from, name ?? defaultName(from));
          print(json, root, describe(root));
        },
      )
      .command(
        "list",
        "list the roots",
        (a) => a.option("json", jsonOption),
        ({ json }) => {
          const roots = listRoots();
          const rows = roots.map((r) => [
            r.name,
            r.kind,
            r.kind === "packages" ? String(r.packages) : "-",
            r.entries === undefined ? "-" : String(r.entries),
            r.bytes === undefined ? "not fetched" : megabytes(r.bytes),
            r.digest?.slice(0, 16) ?? "-",
          ]);
          print(json, { roots }, table([["root", "kind", "packages", "entries", "size", "digest"], ...rows]));
        },
      )
      .command(
        "path [root]",
        "print where a root's image is, fetching it if need be",
        (a) =>
          a
            .positional("root", { type: "string", describe: "name (default: the one that runs use)" })
            .option("json", jsonOption),
        async ({ root, json }) => {
          const location = await rootFor(root, { progress: progressBar() });
          print(json, location, location.directory);
        },
      )
      .command(
        "verify [root]",
        "check a root's contents against its digest",
        (a) =>
          a
            .positional("root", { type: "string", describe: "name (default: the one that runs use)" })
            .option("json", jsonOption),
        async ({ root, json }) => {
          const location = await rootFor(root, { progress: progressBar() });
          const { entries, digest } = verifyImage(location.directory);
          print(
            json,
            { root: location.name, entries, digest, holds: true },
            `${location.name}: ${entries} entries hold, digest ${digest}`,
          );
        },
      )
      .demandCommand(1, "say what to do with roots: add, import, list, path or verify"),
  handler: () => {},
};

/** A root's name from a file's: without folders and the endings of archives. */
function defaultName(from: string): string {
  const last = from.replace(/\/+$/, "").split("/").pop() ?? "";
  return last.replace(/\.(tar|tgz|txz)?(\.(gz|xz|bz2|zst))?$/, "") || "imported";
}
