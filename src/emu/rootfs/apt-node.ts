// Debian bookworm's i386 packages through the host's apt-get, as an ordinary user: private lists and cache, the host's own sources, proxies and keys.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Readable } from "node:stream";
import { InputError } from "../../errors.ts";
import { readSources, stanzaFor } from "./apt-sources.ts";
import { kmlabFolder } from "./folders-node.ts";
import type { LockedPackage } from "./lock.ts";
import type { Progress } from "./progress.ts";

/** Packages cannot be had on this host at all (no apt-get, no network): the caller may do without. */
export class PackagesUnavailable extends InputError {}

const INSTEAD = "`kmlab rootfs import DIR|TAR` takes a Debian i386 root made elsewhere";

/** Lists older than this are fetched again before versions are chosen. */
const LISTS_FRESH_MS = 24 * 3600 * 1000;

interface Ran {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs a host tool to its end. Status messages that it writes to descriptor 3 go to `onStatus`, line by line. */
function run(
  tool: string,
  args: string[],
  options: { cwd?: string; onStatus?: (line: string) => void } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, args, {
      cwd: options.cwd,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      env: { ...process.env, LC_ALL: "C", LANGUAGE: "" },
    });
    let stdout = "";
    let stderr = "";
    let rest = "";
    child.stdout!.setEncoding("utf8").on("data", (s: string) => {
      stdout += s;
    });
    child.stderr!.setEncoding("utf8").on("data", (s: string) => {
      stderr += s;
    });
    (child.stdio[3] as Readable).setEncoding("utf8").on("data", (s: string) => {
      const lines = (rest + s).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) options.onStatus?.(line);
    });
    child.on("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "ENOENT"
          ? new PackagesUnavailable(`no ${tool} on this host, so no Debian package can be fetched; ${INSTEAD}`)
          : error,
      ),
    );
    child.on("close", (code) => resolve({ status: code ?? 1, stdout, stderr }));
  });
}

/** The first error that apt-get reports, without its mark. */
function firstError(ran: Ran): string {
  const lines = `${ran.stderr}\n${ran.stdout}`.split("\n");
  const line =
    lines.find((l) => l.startsWith("E: ")) ?? lines.find((l) => l.startsWith("Err:")) ?? `status ${ran.status}`;
  return line.replace(/^E: /, "").trim();
}

/** A private apt: state and cache under kmlab's folders, nothing of the host's is written. */
export class Apt {
  private readonly folder: string;
  private readonly config: string;

  constructor() {
    this.folder = kmlabFolder("state", "apt");
    this.config = join(this.folder, "apt.conf");
  }

  /** Writes the configuration from the host's. */
  private async configure(): Promise<void> {
    if (this.isConfigured) return;
    for (const below of ["lists/partial", "cache/archives/partial"])
      mkdirSync(join(this.folder, below), { recursive: true });
    writeFileSync(join(this.folder, "status"), "");
    const source = await this.source();
    const sources = join(this.folder, "bookworm.sources");
    if (!existsSync(sources) || readFileSync(sources, "utf8") !== source) {
      rmSync(join(this.folder, "lists"), { recursive: true, force: true });
      mkdirSync(join(this.folder, "lists/partial"), { recursive: true });
      writeFileSync(sources, source);
    }
    const hooks = ["APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success"];
    const settings: [string, string][] = [
      ["APT::Architecture", "i386"],
      ["APT::Architectures::", "i386"],
      ["APT::Sandbox::User", "root"],
      ["APT::Update::Error-Mode", "any"],
      ["APT::Install-Recommends", "false"],
      ["Acquire::Languages", "none"],
      ["Acquire::Retries", "2"],
      ["Debug::NoLocking", "true"],
      ["Dir::State", this.folder],
      ["Dir::State::status", join(this.folder, "status")],
      ["Dir::Cache", join(this.folder, "cache")],
      ["Dir::Cache::pkgcache", "pkgcache.bin"],
      ["Dir::Etc::sourcelist", sources],
      ["Dir::Etc::sourceparts", "/dev/null"],
      ["Dir::Etc::preferences", "/dev/null"],
      ["Dir::Etc::preferencesparts", "/dev/null"],
    ];
    const clear = [...hooks, "APT::Architectures"].map((name) => `#clear ${name};\n`).join("");
    writeFileSync(this.config, `${clear}${settings.map(([k, v]) => `${k} "${v}";\n`).join("")}`);
    this.isConfigured = true;
  }
  private isConfigured = false;

  /** The sources.list stanza for bookworm main: from KMLAB_DEBIAN_MIRROR, or the host's own Debian source. */
  private async source(): Promise<string> {
    const mirror = process.env["KMLAB_DEBIAN_MIRROR"];
    const dump = await run("apt-config", [
      "shell",
      "LIST",
      "Dir::Etc::sourcelist/f",
      "PARTS",
      "Dir::Etc::sourceparts/d",
    ]);
    const paths = Object.fromEntries([...dump.stdout.matchAll(/^(\w+)='(.*)'$/gm)].map((m) => [m[1], m[2]]));
    const files: string[] = [];
    if (paths["LIST"] && existsSync(paths["LIST"])) files.push(paths["LIST"]);
    if (paths["PARTS"] && existsSync(paths["PARTS"])) {
      for (const name of readdirSync(paths["PARTS"]).sort()) {
        if (/\.(list|sources)$/.test(name)) files.push(join(paths["PARTS"], name));
      }
    }
    const sources = files.flatMap((file) => readSources(readFileSync(file, "utf8"), file));
    const stanza = stanzaFor(sources, mirror, existsSync);
    if (stanza === undefined) {
      throw new PackagesUnavailable(
        `apt on this host has no Debian source; set KMLAB_DEBIAN_MIRROR to the address of a Debian mirror, or ${INSTEAD}`,
      );
    }
    return stanza;
  }

  private async tool(tool: string, args: string[], options?: Parameters<typeof run>[2]): Promise<Ran> {
    await this.configure();
    return run(tool, ["-c", this.config, ...args], options);
  }

  /** Fetches the package lists, unless there are fresh ones. */
  async update(force: boolean, progress?: Progress): Promise<void> {
    await this.configure();
    const stamp = join(this.folder, "updated");
    if (!force && existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < LISTS_FRESH_MS) return;
    progress?.begin("package lists", 100);
    const ran = await this.tool("apt-get", ["-o", "APT::Status-Fd=3", "update"], {
      onStatus: (line) => progress?.at(percentOf(line)),
    });
    progress?.end();
    if (ran.status !== 0) {
      throw new PackagesUnavailable(
        `the Debian package lists cannot be fetched (${firstError(ran)}); check the network, or ${INSTEAD}`,
      );
    }
    writeFileSync(stamp, "");
  }

  /**
   * Chooses versions for names and all they depend on.
   * @param pinned versions to keep, by name
   * @throws InputError for a package that does not exist, or a set that cannot be installed together
   */
  async resolve(names: readonly string[], pinned: ReadonlyMap<string, string>): Promise<LockedPackage[]> {
    const words = new Set([...names, ...pinned.keys()]);
    const wanted = [...words].map((name) => (pinned.has(name) ? `${name}=${pinned.get(name)}` : name));
    const ran = await this.tool("apt-get", ["--simulate", "--no-install-recommends", "install", ...wanted]);
    if (ran.status !== 0) throw resolveError(ran);
    const chosen = [...ran.stdout.matchAll(/^Inst (\S+) \((\S+) /gm)].map((m) => ({ name: m[1], version: m[2] }));
    return this.describe(chosen);
  }

  /** Adds hash and size from the package lists. */
  private async describe(packages: { name: string; version: string }[]): Promise<LockedPackage[]> {
    const ran = await this.tool("apt-cache", ["show", ...packages.map((p) => `${p.name}=${p.version}`)]);
    const known = new Map<string, LockedPackage>();
    for (const stanza of ran.stdout.split(/\n\n+/)) {
      const field = (name: string) => stanza.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1] ?? "";
      const name = field("Package");
      const version = field("Version");
      if (name)
        known.set(`${name}=${version}`, { name, version, sha256: field("SHA256"), size: Number(field("Size")) });
    }
    return packages.map(({ name, version }) => {
      const p = known.get(`${name}=${version}`);
      if (!p || !/^[0-9a-f]{64}$/.test(p.sha256)) {
        throw new InputError(
          `${name} ${version}: the package lists hold no SHA-256 for it; remove ${this.folder} and try again`,
        );
      }
      return p;
    });
  }

  /**
   * Fetches package files into a folder; those already there whole are kept, so an interrupted run goes on where it stopped.
   * @returns the files by package name
   * @throws InputError if a version is no longer offered
   */
  async download(packages: readonly LockedPackage[], into: string, progress?: Progress): Promise<Map<string, string>> {
    await this.update(false, progress);
    const words = packages.map((p) => `${p.name}=${p.version}`);
    const total = packages.reduce((n, p) => n + p.size, 0);
    const fetchAll = () =>
      this.tool("apt-get", ["-o", "APT::Status-Fd=3", "download", ...words], {
        cwd: into,
        onStatus: (line) => progress?.at((percentOf(line) / 100) * total),
      });
    progress?.begin(packages.length === 1 ? "1 package" : `${packages.length} packages`, total, "bytes");
    let ran = await fetchAll();
    if (ran.status !== 0) {
      // The lists may be older than what the mirror holds now.
      progress?.end();
      await this.update(true, progress);
      progress?.begin(`${packages.length} packages`, total, "bytes");
      ran = await fetchAll();
    }
    progress?.end();
    if (ran.status !== 0) throw downloadError(ran);
    return new Map(packages.map((p) => [p.name, fileFor(into, p)]));
  }
}

function fileFor(folder: string, p: LockedPackage): string {
  const start = `${p.name}_${p.version.replaceAll(":", "%3a")}_`;
  const name = readdirSync(folder).find((n) => n.startsWith(start) && n.endsWith(".deb"));
  if (name === undefined)
    throw new InputError(`${p.name} ${p.version}: apt-get did not deliver it; run the command again`);
  const file = join(folder, `${p.name}.deb`);
  renameSync(join(folder, name), file);
  return file;
}

function percentOf(line: string): number {
  const m = line.match(/^dlstatus:[^:]*:([0-9.]+):/);
  return m ? Number(m[1]) : 0;
}

function resolveError(ran: Ran): InputError {
  const all = `${ran.stderr}\n${ran.stdout}`;
  const unknown =
    all.match(/Unable to locate package (\S+)/) ?? all.match(/Package '?(\S+?)'? has no installation candidate/);
  if (unknown) return new InputError(`${unknown[1]}: no such package in Debian bookworm main for i386; check the name`);
  const gone = goneVersion(all);
  if (gone) return gone;
  return new InputError(`these packages cannot be installed together: ${firstError(ran)}`);
}

function downloadError(ran: Ran): InputError {
  const all = `${ran.stderr}\n${ran.stdout}`;
  return (
    goneVersion(all) ??
    new PackagesUnavailable(
      `the Debian packages cannot be fetched (${firstError(ran)}); check the network, or ${INSTEAD}`,
    )
  );
}

function goneVersion(output: string): InputError | undefined {
  const m = output.match(/Version '([^']+)' for '([^':]+)(?::\w+)?' was not found/);
  if (!m) return undefined;
  return new InputError(
    `${m[2]} ${m[1]}: the mirror no longer offers the locked version; \`kmlab rootfs add --update\` locks the versions it offers now`,
  );
}
