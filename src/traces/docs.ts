// The reference tables of docs/trace-format.md, made from the schema.
import { META_ENTRIES } from "./meta.ts";
import { cellNames, largest } from "./package.ts";
import { csvName, type Field, type Table } from "./schema/field.ts";
import { TABLES } from "./schema/tables.ts";

function row(...cells: string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function holds(field: Field): string {
  switch (field.hold) {
    case "text":
      return "text";
    case "enum":
      return cellNames(field).join(", ");
    case "flags":
      return `-, or of: ${cellNames(field).join(", ")}`;
    case "signed":
      return "integer, may be negative";
    default:
      return largest(field) <= 3 ? `0..${largest(field)}` : "integer";
  }
}

/** The fields of one table in Markdown. */
export function fieldTable(table: Table): string {
  const rows = Object.entries(table.fields).map(([key, field]) => {
    const must = field.required === true || field.hold === "row" ? "yes" : "";
    const refers = field.refers === undefined ? "" : ` (a row of ${field.refers})`;
    return row(`\`${csvName(key)}\``, holds(field), field.unit ?? "", must, field.is + refers);
  });
  const key = table.key.length === 0 ? "no key" : `key: ${table.key.map((name) => `\`${csvName(name)}\``).join(", ")}`;
  const optional = table.optional ? ", the table may be absent" : "";
  return [
    `### ${table.path}`,
    "",
    `${table.is} (${key}${optional})`,
    "",
    row("column", "cell", "unit", "never empty", "meaning"),
    row("---", "---", "---", "---", "---"),
    ...rows,
  ].join("\n");
}

/** The fields of all tables. */
export function fieldTables(): string {
  return (Object.values(TABLES) as Table[]).map(fieldTable).join("\n\n");
}

/** The entries of the `kmlab` object. */
export function metaTable(): string {
  const rows = META_ENTRIES.map(({ path, type, values, open, is }) =>
    row(`\`${path.map(csvName).join(".")}\``, values?.join(", ") ?? type, open ? "or null" : "", is),
  );
  return [row("entry", "value", "unknown", "meaning"), row("---", "---", "---", "---"), ...rows].join("\n");
}

/** `text` with what stands between `<!-- name -->` and `<!-- /name -->` replaced, for each name given. */
export function fillBlocks(text: string, blocks: Readonly<Record<string, string>>): string {
  return Object.entries(blocks).reduce((result, [name, block]) => {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const from = result.indexOf(open);
    const to = result.indexOf(close);
    if (from < 0 || to < from) throw new Error(`there is no block ${name}`);
    return `${result.slice(0, from + open.length)}\n${block}\n${result.slice(to)}`;
  }, text);
}
