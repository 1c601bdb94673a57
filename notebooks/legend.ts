// What the shades of a figure stand for, written above it: Plot puts legends beside a picture, not into it.
import * as Plot from "@observablehq/plot";
import type { Row } from "./figure.ts";

/** A word with its shade, so far from the left. */
export interface Shade {
  readonly name: string;
  readonly fill: string;
  readonly dx: number;
}

/** The words in a line above the frame; in a figure with rows of frames above the first, that of `facet`. */
export function legend(
  shades: readonly Shade[],
  facet: { readonly fy?: string; readonly of: Row } = { of: {} },
): Plot.Markish[] {
  return shades.flatMap(({ name, fill, dx }) => {
    const place = { ...(facet.fy === undefined ? {} : { fy: facet.fy }), frameAnchor: "top-left", dy: -14 } as const;
    return [
      Plot.dot([facet.of], { ...place, dx, symbol: "square", r: 5, fill, stroke: "black" }),
      Plot.text([facet.of], { ...place, dx: dx + 10, text: () => name, textAnchor: "start", lineAnchor: "middle" }),
    ];
  });
}
