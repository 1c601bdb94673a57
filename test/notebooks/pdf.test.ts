// A figure as PDF: what of SVG figures use arrives as vectors and text, with the font in the file.
import { describe, expect, it } from "vitest";
import { pdf } from "../../notebooks/pdf.ts";
import { readDataBytes } from "../../src/model/data-node.ts";
import { plainSha256 } from "../../src/sha256.ts";

const FONT = readDataBytes("fonts/DejaVuSans.ttf");
const TEXT = "↑ time – 10 %";
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100" fill="currentColor" color="#204060">
  <clipPath id="clip"><rect x="10" y="10" width="50" height="50"/></clipPath>
  <g clip-path="url(#clip)"><path d="M0,0L100,100A5,5 0 1 0 7,8Z" stroke="currentColor" fill-opacity="0.5"/></g>
  <text transform="translate(100,50) rotate(-90)" text-anchor="end" y="0.32em" font-size="10">${TEXT}</text>
</svg>`;
const made = pdf(SVG, "A title", FONT);
const text = Buffer.from(made).toString("latin1");

describe("a PDF", () => {
  it("has the figure's size, its title and no time", () => {
    expect(text).toMatch(/^%PDF-1\.4\n.*%%EOF\n$/s);
    expect(text).toContain("/MediaBox [0 0 150 75]");
    expect(text).toContain("(A title)");
    expect(text).toContain("(D:19700101000000Z)");
  });

  it("embeds what it uses of the one font, and has no raster", () => {
    expect(text.match(/\/BaseFont \/\w+\+DejaVuSans$/gm)).toHaveLength(2);
    expect(text).toContain("/FontFile2");
    expect(text).not.toMatch(/Helvetica|\/Subtype \/Image/);
    expect(made.length).toBeLessThan(FONT.length / 20);
  });

  it("clips, fills half through, colours and turns text", () => {
    expect(text).toContain("10 10 m\n60 10 l\n60 60 l\n10 60 l\nh\n");
    expect(text).toContain("/Subtype /Form");
    expect(text).toContain("/ca 0.5");
    expect(text).toMatch(/^0\.12549\d* 0\.25098\d* 0\.37647\d* SCN$/m);
    // Coordinates of an SVG go down: -90 degrees there is up the page.
    expect(text).toContain("0 -1 1 0 100 50 cm");
  });

  it("ends text where it was anchored and says which characters it is", () => {
    const places = [...text.matchAll(/^1 0 0 -1 (\S+) 3.2 Tm$/gm)].map(([, x]) => Number(x));
    expect(places).toHaveLength(TEXT.length);
    expect(places.at(-1)!).toBeGreaterThan(-10);
    expect(places.at(-1)!).toBeLessThan(-9);
    const known = /beginbfrange\n<0000> <\w+> \[([^\]]*)\]/.exec(text)![1];
    const codes = [...known.matchAll(/<(\w+)>/g)].map(([, code]) => String.fromCodePoint(Number.parseInt(code, 16)));
    const shown = [...text.matchAll(/^(?:\[)?<(\w+)>\]? Tj$/gm)].map(([, glyph]) => codes[Number.parseInt(glyph, 16)]);
    expect(shown.join("")).toBe(TEXT);
  });

  it("has the same bytes everywhere", () => {
    const hasher = plainSha256();
    hasher.update(made);
    expect(hasher.hex()).toMatchInlineSnapshot(`"96f92abd922758491179fb34e94253ee43e44a2240afacb799e456f9ee1c9830"`);
  });

  it("refuses what it cannot draw", () => {
    expect(() => pdf("<p>no picture</p>", "Nothing", FONT)).toThrow();
  });
});
