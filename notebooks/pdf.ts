// A drawn figure as a PDF of its own: vectors, the font embedded, and the same bytes wherever it is made.
import PDFDocument from "pdfkit";
import draw from "svg-to-pdfkit";

/** Points of PDF to a pixel of SVG. */
const POINT = 72 / 96;

const FONT = "DejaVu Sans";

/**
 * A page as large as the figure.
 * @param svg as drawn() gives it
 * @param font a TrueType font: what the figure uses of it goes into the file
 */
export function pdf(svg: string, title: string, font: Uint8Array): Uint8Array {
  const [, width, height] = (/ viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? []).map((digits) => POINT * Number(digits));
  const document = new PDFDocument({
    size: [width, height],
    margin: 0,
    // The first that knows transparency.
    pdfVersion: "1.4",
    // What zlib makes of the same data differs between versions and processors.
    compress: false,
    font: null as never,
    info: { Title: title, Producer: "kmlab", Creator: "kmlab", CreationDate: new Date(0) },
  });
  document.registerFont(FONT, font as never);
  draw(document, svg, 0, 0, {
    width,
    height,
    fontCallback: () => FONT,
    warningCallback: (message) => {
      throw new Error(`${title}: ${message}`);
    },
  });
  document.end();
  // Nothing is waited for, so all of it is there.
  return document.read() as Uint8Array;
}
