// Headings that stand out where they can.
import process from "node:process";
import { styleText } from "node:util";

/** Bold on a terminal that wants it; NO_COLOR and pipes get plain text. */
export function bold(text: string): string {
  const plain = !process.stdout.isTTY || process.env["NO_COLOR"] !== undefined || process.env["TERM"] === "dumb";
  return plain ? text : styleText("bold", text);
}
