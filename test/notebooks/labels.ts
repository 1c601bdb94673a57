// Where the words of a figure stand: which lie on each other, and which reach over the edge.
import { parseHTML } from "linkedom";
import PDFDocument from "pdfkit";
import { readDataBytes } from "../../src/model/data-node.ts";

interface Box {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** What of a letter's height lies above and below the line, of capitals and digits. */
const [ABOVE, BELOW] = [0.73, 0.05];
/** Pixels that nobody sees. */
const SLACK = 1;

const measure = new PDFDocument({ font: null as never });
measure.registerFont("font", readDataBytes("fonts/DejaVuSans.ttf") as never);

const width = (text: string, size: number): number => measure.font("font").fontSize(size).widthOfString(text);

/** A length in pixels, "0.32em" being that of a size. */
function pixels(value: string | null, size: number): number {
  if (value === null) return 0;
  return value.endsWith("em") ? Number.parseFloat(value) * size : Number.parseFloat(value);
}

/** The value of an attribute of an element or the nearest around it that has one. */
function inherited(element: Element, name: string): string | null {
  const found = element.closest(`[${name}]`);
  return found === null ? null : found.getAttribute(name);
}

/** The size of an element's letters; what the picture's style says goes before its attribute. */
function sizeOf(element: Element): number {
  const found = element.closest("[font-size]");
  const styled = /font-size:([\d.]+)px/.exec(found?.getAttribute("style") ?? "")?.[1];
  return Number.parseFloat(styled ?? found?.getAttribute("font-size") ?? "11");
}

/** What leads from an element's coordinates to the picture's: moves and turns. */
function placed(element: Element, x: number, y: number): [number, number] {
  let [px, py] = [x, y];
  for (let at: Element | null = element; at !== null; at = at.parentElement) {
    const steps = [...(at.getAttribute("transform") ?? "").matchAll(/(translate|rotate)\(([^)]*)\)/g)].reverse();
    for (const [, what, numbers] of steps) {
      const [a, b = 0] = numbers.split(/[\s,]+/).map(Number);
      if (what === "translate") [px, py] = [px + a, py + b];
      else {
        const angle = (a * Math.PI) / 180;
        [px, py] = [px * Math.cos(angle) - py * Math.sin(angle), px * Math.sin(angle) + py * Math.cos(angle)];
      }
    }
  }
  return [px, py];
}

/** Every line of words of an SVG. */
export function boxes(svg: string): Box[] {
  const { document } = parseHTML(`<body>${svg}</body>`);
  return [...document.querySelectorAll("text")].flatMap((element) => {
    const size = sizeOf(element);
    const anchor = inherited(element, "text-anchor") ?? "start";
    const spans = [...element.querySelectorAll("tspan")];
    let below = pixels(element.getAttribute("y"), size) + pixels(element.getAttribute("dy"), size);
    return (spans.length > 0 ? spans : [element]).map((line, index): Box => {
      if (line !== element)
        below = line.hasAttribute("y")
          ? pixels(line.getAttribute("y"), size)
          : below + pixels(line.getAttribute("dy") ?? (index > 0 ? "1em" : "0"), size);
      const text = line.textContent ?? "";
      const wide = width(text, size);
      const from =
        pixels(element.getAttribute("x"), size) - wide * (anchor === "middle" ? 0.5 : anchor === "end" ? 1 : 0);
      const corners = [placed(element, from, below - ABOVE * size), placed(element, from + wide, below + BELOW * size)];
      const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
      return { text, left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
    });
  });
}

/** What a reader could not read, in words. */
export function illegible(svg: string): string[] {
  const [, wide, high] = / viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number);
  const all = boxes(svg).filter(({ text }) => text.trim() !== "");
  const outside = all.filter(
    ({ left, right, top, bottom }) => left < -SLACK || right > wide + SLACK || top < -SLACK || bottom > high + SLACK,
  );
  const meet = (a: Box, b: Box): boolean =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > SLACK &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > SLACK;
  return [
    ...outside.map(({ text }) => `"${text}" reaches over the edge`),
    ...all.flatMap((a, index) =>
      all
        .slice(index + 1)
        .filter((b) => meet(a, b))
        .map((b) => `"${a.text}" lies on "${b.text}"`),
    ),
  ];
}
