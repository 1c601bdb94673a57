// Reads apt's source lists (both formats) and derives the one source that kmlab uses: bookworm main for i386.

/** One source of packages, as far as it matters here. */
export interface AptSource {
  uri: string;
  suites: string[];
  components: string[];
  /** Key ring file, or the key itself (indented lines), as written. */
  signedBy?: string;
}

/** Reads a sources file: deb822 if its name ends in .sources, else one line per source. Disabled and source-only entries are left out. */
export function readSources(text: string, file: string): AptSource[] {
  return file.endsWith(".sources") ? readDeb822(text) : readLines(text);
}

function readDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const stanza of text.split(/\n[ \t]*\n/)) {
    const fields: Record<string, string> = {};
    let key = "";
    for (const line of stanza.split("\n")) {
      if (line.startsWith("#")) continue;
      const m = line.match(/^([A-Za-z-]+):[ \t]*(.*)$/);
      if (m) {
        key = m[1].toLowerCase();
        fields[key] = m[2].trim();
      } else if (/^[ \t]/.test(line) && key) {
        fields[key] += `\n${line}`;
      }
    }
    const words = (name: string) => (fields[name] ?? "").split(/\s+/).filter((w) => w !== "");
    if (/^(no|false|0|off|disable)$/i.test(fields["enabled"] ?? "yes") || !words("types").includes("deb")) continue;
    for (const uri of words("uris")) {
      const source: AptSource = { uri, suites: words("suites"), components: words("components") };
      if (fields["signed-by"]) source.signedBy = fields["signed-by"];
      sources.push(source);
    }
  }
  return sources;
}

function readLines(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const raw of text.split("\n")) {
    const m = raw.replace(/#.*/, "").match(/^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/);
    if (!m) continue;
    const source: AptSource = { uri: m[2], suites: [m[3]], components: m[4].split(/\s+/).filter((w) => w !== "") };
    const signedBy = (m[1] ?? "").match(/signed-by=(\S+)/i)?.[1];
    if (signedBy) source.signedBy = signedBy;
    sources.push(source);
  }
  return sources;
}

/** Where Debian's own package puts its keys: used when the host's source names none. */
const DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * The stanza for bookworm main, i386: from a mirror given by the user, else the host's bookworm source, else any Debian source of the host
 * (another release's: the same archive carries bookworm). Security and update suites are not used: they change under a lock.
 * @returns undefined if the host knows no Debian archive
 */
export function stanzaFor(
  sources: readonly AptSource[],
  mirror: string | undefined,
  exists: (file: string) => boolean,
): string | undefined {
  const isDebian = (s: AptSource) => /\/debian\/?$/.test(s.uri) && !s.uri.startsWith("cdrom:");
  const hasBookworm = (s: AptSource) => s.suites.includes("bookworm") && s.components.includes("main");
  const found =
    sources.find((s) => hasBookworm(s) && isDebian(s)) ?? sources.find(hasBookworm) ?? sources.find(isDebian);
  const uri = mirror ?? found?.uri;
  if (uri === undefined) return undefined;
  const keys = found?.signedBy ?? (exists(DEBIAN_KEYS) ? DEBIAN_KEYS : undefined);
  return [
    "Types: deb",
    `URIs: ${uri}`,
    "Suites: bookworm",
    "Components: main",
    "Architectures: i386",
    ...(keys ? [`Signed-By: ${keys}`] : []),
    "",
  ].join("\n");
}
