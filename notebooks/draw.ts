// A figure drawn without a browser: the same rows give the same bytes.
import { plot } from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type Figure, LOOK, type Row } from "./figure.ts";
import { asPublished } from "./inputs.ts";

/** Digits of a coordinate that anybody can see. */
const DIGITS = 2;

/** The figure as an SVG file, in its own width or another. */
export function drawn(figure: Figure, rows: readonly Row[], width: number = LOOK.width): string {
  const { document } = parseHTML("<!doctype html><body></body>");
  const svg = plot({ ...figure.plot(rows, asPublished(figure.inputs), width), width, document });
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", figure.title);
  const short = (digits: string): string => String(Number(Number(digits).toFixed(DIGITS)));
  const text = svg.outerHTML.replace(/<[^>]*>/g, (tag) => tag.replace(/-?\d+\.\d{3,}/g, short));
  return `${text}\n`;
}
