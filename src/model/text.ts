// Numbers and tables as text for people.

/** 1234567 -> 1 234 567. */
export function grouped(value: number): string {
  const text = Math.abs(Math.round(value)).toString();
  return (value < 0 ? "-" : "") + text.replace(/\B(?=(\d{3})+$)/g, " ");
}

/** Seconds with a unit that leaves one to four digits before the point. */
export function duration(seconds: number): string {
  if (seconds >= 1) return `${seconds.toFixed(3)} s`;
  if (seconds >= 1e-3) return `${(seconds * 1e3).toFixed(3)} ms`;
  return `${(seconds * 1e6).toFixed(3)} us`;
}

/** Pads cells so that columns line up: the first, or those named, to the left, the others to the right. */
export function align(rows: readonly (readonly string[])[], left: readonly number[] = [0]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => (left.includes(column) ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
}
