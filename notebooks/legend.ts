// What the shades of a figure stand for, written above it: Plot puts legends beside a picture, not into it.
import * as Plot from "@observablehq/plot";
import type { Row } from "./figure.ts";

/** A word with its shade, so far from the left. */
export interface Shade {
  readonly name: string;
  readonly fill: string;
  readonly dx: number;
}

/** Pixels of a line, and of a letter, about. */
const LINE = 16;
const LETTER = 6.5;
/** From the middle of a shade to its word. */
const GAP = 10;

/** Those beyond so many pixels go to lines of their own: how far each is from the left then, and which line it is on. */
function inLines(shades: readonly Shade[], room: number): { shade: Shade; dx: number; line: number }[] {
  let [line, start] = [0, 0];
  return shades.map((shade) => {
    if (shade.dx - start + GAP + LETTER * shade.name.length > room && shade.dx > start) {
      line++;
      start = shade.dx - shades[0].dx;
    }
    return { shade, dx: shade.dx - start, line };
  });
}

/**
 * The words above the frame; in a figure with rows of frames above the first, that of `facet`.
 * @param room pixels from the left of the frame to the right edge of the picture
 */
export function legend(
  shades: readonly Shade[],
  room: number,
  facet: { readonly fy?: string; readonly of: Row } = { of: {} },
): Plot.Markish[] {
  const placed = inLines(shades, room);
  const last = placed[placed.length - 1].line;
  return placed.flatMap(({ shade: { name, fill }, dx, line }) => {
    const dy = -14 - LINE * (last - line);
    const place = { ...(facet.fy === undefined ? {} : { fy: facet.fy }), frameAnchor: "top-left", dy } as const;
    return [
      Plot.dot([facet.of], { ...place, dx, symbol: "square", r: 5, fill, stroke: "black" }),
      Plot.text([facet.of], { ...place, dx: dx + GAP, text: () => name, textAnchor: "start", lineAnchor: "middle" }),
    ];
  });
}
