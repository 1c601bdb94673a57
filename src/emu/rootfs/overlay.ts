// Lays a tree over a root image without copying the image: test files, or a user's own, on top of the packages.
import { IMAGE_PAGE_BYTES, type ImageEntry, type RootImage } from "./image.ts";
import type { Hash, Tree } from "./tree.ts";

/**
 * A new image: the base with a directory of it replaced by, or made of, a tree.
 * @param base stays as it is, and must stay open as long as the new image is used
 * @param at absolute path of the directory; its parent must exist in the base
 * @param tree what the directory holds; its root's attributes become the directory's
 */
export function overlayImage(base: RootImage, at: string, tree: Tree, hash: Hash): RootImage {
  const laidOut = tree.layOut(hash);
  const start = blobBytes(base.entries);
  const below = (path: string) => path === at || path.startsWith(`${at}/`);
  const moved = laidOut.entries.map((e): ImageEntry => {
    const path = e.path === "/" ? at : at + e.path;
    const entry = { ...e, path, offset: e.size > 0 && e.target === undefined ? e.offset + start : 0 };
    return e.hardlink === undefined ? entry : { ...entry, hardlink: at + e.hardlink };
  });
  const entries = [...base.entries.filter((e) => !below(e.path)), ...moved].sort((a, b) => (a.path < b.path ? -1 : 1));
  const data = new Uint8Array(laidOut.dataBytes);
  for (const piece of laidOut.pieces) data.set(piece.data, piece.offset);
  return {
    digest: `${base.digest}+${at}:${laidOut.digest}`,
    entries,
    read(offset, length) {
      if (offset >= start) return padded(data, offset - start, length);
      if (offset + length <= start) return base.read(offset, length);
      const out = new Uint8Array(length);
      out.set(base.read(offset, start - offset));
      out.set(padded(data, 0, offset + length - start), start - offset);
      return out;
    },
  };
}

/** Bytes of an image's blob, in whole pages. */
export function blobBytes(entries: readonly ImageEntry[]): number {
  let end = 0;
  for (const e of entries) if (e.size > 0 && e.target === undefined) end = Math.max(end, e.offset + e.size);
  return Math.ceil(end / IMAGE_PAGE_BYTES) * IMAGE_PAGE_BYTES;
}

function padded(data: Uint8Array, offset: number, length: number): Uint8Array {
  if (offset + length <= data.length) return data.subarray(offset, offset + length);
  const out = new Uint8Array(length);
  if (offset < data.length) out.set(data.subarray(offset));
  return out;
}
