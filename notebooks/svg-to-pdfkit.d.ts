// What is used of svg-to-pdfkit, which has no types.
declare module "svg-to-pdfkit" {
  interface Options {
    readonly width: number;
    readonly height: number;
    readonly fontCallback: () => string;
    readonly warningCallback: (message: string) => void;
  }
  export default function draw(document: PDFKit.PDFDocument, svg: string, x: number, y: number, options: Options): void;
}
