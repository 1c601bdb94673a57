// Reading the model's own tables: CSV with a header, every number checked, every fault said with file, row and column.
import Papa from "papaparse";
import { InputError } from "../errors.ts";

/** Reads a file of data/ by its name there. */
export type ReadData = (name: string) => string;

/** One row of a table; cells are read with the methods, so that an error can say where it is. */
export class TableRow {
  readonly #cells: Record<string, string>;
  readonly where: string;
  constructor(cells: Record<string, string>, where: string) {
    this.#cells = cells;
    this.where = where;
  }
  /** Text of a cell; "" when empty. */
  text(column: string): string {
    const cell = this.#cells[column];
    if (cell === undefined) throw new InputError(`${this.where}: column ${column} is missing`);
    return cell;
  }
  /** A number >= 0, or undefined when the cell is empty. */
  number(column: string): number | undefined {
    const cell = this.text(column);
    if (cell === "") return undefined;
    const value = Number(cell);
    if (!Number.isFinite(value)) throw new InputError(`${this.where}: ${column} is "${cell}"; write a number`);
    if (value < 0) throw new InputError(`${this.where}: ${column} is ${cell}; costs and counts are not negative`);
    return value;
  }
  /** A number >= 0 that must be there. */
  required(column: string): number {
    const value = this.number(column);
    if (value === undefined) throw new InputError(`${this.where}: ${column} is empty; write a number`);
    return value;
  }
}

/** The rows of a CSV file given as text. */
export function readTable(file: string, text: string): TableRow[] {
  const { data, errors } = Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true });
  if (errors.length > 0) {
    const { row, message } = errors[0];
    throw new InputError(`${file} row ${(row ?? 0) + 2}: ${message}`);
  }
  return data.map((cells, index) => new TableRow(cells, `${file} row ${index + 2}`));
}

/** The words of a cell. */
export function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}
