/**
 * Reads CSV as RFC 4180 has it: quoted fields, doubled quotes, line breaks inside quotes. For the
 * tools that prepare data, which read files they trust; holds one file in memory.
 */
import { PetrelError } from "../../core/mod.ts";

/** Rows as records by column name. Throws CONFIG_INVALID naming the line that has another width. */
export function parseCsv(text: string, place: string): Record<string, string>[] {
  const [head, ...rows] = splitRows(text);
  if (head === undefined) return [];
  return rows.map((row, index) => {
    if (row.length !== head.length) {
      throw new PetrelError(
        "CONFIG_INVALID",
        `${place}: row ${index + 2} has ${row.length} fields, the head has ${head.length}`,
        { place },
      );
    }
    return Object.fromEntries(head.map((name, column) => [name, row[column] ?? ""]));
  });
}

/** One field with what ends it: quoted, or bare up to the next comma or line end. */
const FIELD = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;

function splitRows(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  FIELD.lastIndex = 0;
  while (FIELD.lastIndex < text.length) {
    const at = FIELD.lastIndex;
    const match = FIELD.exec(text);
    if (match === null) {
      throw new PetrelError("CONFIG_INVALID", `CSV: a stray quote near character ${at}`, { at });
    }
    row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
