// Tables and numbers as text for people: columns that line up, digits in groups, times in the unit that fits.

/** How headings are marked: by escape codes on a terminal, by nothing elsewhere. */
export type Emphasis = (text: string) => string;

/** 1234567 -> 1,234,567; null -> "". */
export function grouped(value: number | null): string {
  return value === null ? "" : String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** Columns separated by two blanks; those of numbers to the right. The first row is the heading. */
export function aligned(rows: readonly (readonly string[])[], right: readonly boolean[], bold: Emphasis): string[] {
  const width = right.map((_, column) => rows.reduce((most, row) => Math.max(most, row[column].length), 0));
  return rows.map((row, index) => {
    const cells = row.map((cell, column) =>
      right[column] ? cell.padStart(width[column]) : cell.padEnd(width[column]),
    );
    const line = cells.join("  ").trimEnd();
    return index === 0 ? bold(line) : line;
  });
}

/** A column of a table: its heading, its cells, and where they stand. */
export interface TableColumn<T> {
  readonly heading: string;
  readonly cell: (row: T) => string;
  /** Numbers stand to the right. */
  readonly isNumber?: boolean;
  /** Stays when all its cells are empty; others are left out then. */
  readonly always?: boolean;
}

/** A table of rows, without the columns that say nothing. */
export function table<T>(rows: readonly T[], columns: readonly TableColumn<T>[], bold: Emphasis): string[] {
  const filled = columns
    .map((column) => ({ ...column, cells: rows.map(column.cell) }))
    .filter(({ cells, always }) => always === true || cells.some((cell) => cell !== ""));
  const lines = [filled.map(({ heading }) => heading), ...rows.map((_, row) => filled.map(({ cells }) => cells[row]))];
  return aligned(
    lines,
    filled.map(({ isNumber }) => isNumber === true),
    bold,
  );
}

/** Nanoseconds in the unit that fits. */
export function duration(ns: number): string {
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(3)} s`;
  return ns >= 1e6 ? `${(ns / 1e6).toFixed(3)} ms` : `${(ns / 1e3).toFixed(3)} us`;
}

/** A unit that times up to `most` nanoseconds can share in a column, and what writes one in it. */
export function sharedUnit(most: number): { readonly unit: string; readonly text: (ns: number) => string } {
  const [unit, ns] = most >= 1e10 ? ["s", 1e9] : most >= 1e7 ? ["ms", 1e6] : ["us", 1e3];
  const text = (value: number): string => {
    const [whole, part] = (value / (ns as number)).toFixed(3).split(".");
    return `${whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",")}.${part}`;
  };
  return { unit: unit as string, text };
}

/** A part of a whole, as a number of percent. */
export function share(part: number, whole: number): string {
  return whole === 0 ? "" : ((100 * part) / whole).toFixed(1);
}

/** Text of at most `width` characters; the beginning of a longer one is left out, since the end of a path tells more. */
export function ending(text: string, width: number): string {
  return text.length <= width ? text : `...${text.slice(3 - width)}`;
}
