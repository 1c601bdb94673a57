// A root image with the files of another one added: what a first run made, on top of the packages.

import { type RootImage, S_IFDIR, S_IFMT } from "./image.ts";
import { blobBytes } from "./overlay.ts";

/**
 * The base with what a layer has besides. Directories that both have stay the base's; both must stay open as long as the image is used.
 */
export function addLayer(base: RootImage, layer: RootImage): RootImage {
  const start = blobBytes(base.entries);
  const known = new Set(base.entries.map(({ path }) => path));
  const added = layer.entries
    .filter(({ path, mode }) => !known.has(path) || (mode & S_IFMT) !== S_IFDIR)
    .map((e) => (e.size > 0 && e.target === undefined ? { ...e, offset: e.offset + start } : e));
  const replaced = new Set(added.map(({ path }) => path));
  const entries = base.entries.filter(({ path }) => !replaced.has(path)).concat(added);
  return {
    digest: `${base.digest}+${layer.digest}`,
    entries: entries.sort((a, b) => (a.path < b.path ? -1 : 1)),
    read(offset, length) {
      if (offset >= start) return layer.read(offset - start, length);
      if (offset + length <= start) return base.read(offset, length);
      const out = new Uint8Array(length);
      out.set(base.read(offset, start - offset));
      out.set(layer.read(0, offset + length - start), start - offset);
      return out;
    },
  };
}
