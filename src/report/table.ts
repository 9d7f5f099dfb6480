import { columnsOf, padTo } from "./safe.ts";

/** A cell: safe text, and how it is painted once its width is known. */
export type Cell = string | { readonly text: string; readonly paint: (text: string) => string };

/** Aligned columns, two spaces apart, without a space at the end of a line. Cells must be safe and of one line. */
export function table(rows: readonly (readonly Cell[])[], indent = ""): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, columnsOf(textOf(cell)));
  }
  return rows.map((row) => {
    let last = row.length - 1;
    while (last > 0 && textOf(row[last] ?? "") === "") last -= 1;
    const cells = row.slice(0, last + 1).map((cell, column) => {
      const text = column === last ? textOf(cell) : padTo(textOf(cell), widths[column] ?? 0);
      return typeof cell === "string" ? text : cell.paint(text);
    });
    return indent + cells.join("  ");
  });
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}
