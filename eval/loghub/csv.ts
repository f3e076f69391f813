/**
 * Reads Loghub's structured tables: CSV as RFC 4180 has it, with quoted fields, doubled quotes and line
 * breaks inside quotes. It guesses nothing: what is malformed is an error that names file, line, column.
 */
import { PetrelError } from "../../core/mod.ts";

export interface LabelledLine {
  /** The message without its header, as it was written. */
  readonly content: string;
  /** The name of its true group. */
  readonly event: string;
}

const CHARS_MAX = 256 * 1024 * 1024;
const CONTENT = "Content";
const EVENT = "EventId";
const QUOTE = '"';

interface CsvRow {
  /** From 1, as an editor counts; where the row begins. */
  readonly line: number;
  readonly fields: readonly string[];
}

/** The lines of a table in their order. Throws USAGE naming file, line and column. */
export function parseStructured(file: string, text: string): LabelledLine[] {
  if (text.length > CHARS_MAX) throw broken(file, 1, 1, `larger than ${CHARS_MAX} characters`);
  const rows = new CsvReader(file, text.startsWith("\uFEFF") ? text.slice(1) : text);
  const head = rows.next();
  if (head === undefined) throw broken(file, 1, 1, "the file is empty");
  const content = columnOf(file, head, CONTENT);
  const event = columnOf(file, head, EVENT);
  const lines: LabelledLine[] = [];
  // Blank lines end many files; before another row, one is a row that lost its fields.
  let blank: CsvRow | undefined;
  for (let row = rows.next(); row !== undefined; row = rows.next()) {
    const { fields, line } = row;
    if (fields.length === 1 && fields[0]?.trim() === "") {
      blank ??= row;
      continue;
    }
    if (blank !== undefined) throw wrongWidth(file, head, blank);
    if (fields.length !== head.fields.length) throw wrongWidth(file, head, row);
    const name = fields[event] ?? "";
    if (name === "") throw broken(file, line, event + 1, `${EVENT} is empty`);
    lines.push({ content: fields[content] ?? "", event: name });
  }
  if (lines.length === 0) throw broken(file, 2, 1, "no line follows the names of the columns");
  return lines;
}

function wrongWidth(file: string, { fields: expected }: CsvRow, { fields, line }: CsvRow) {
  const column = Math.min(fields.length, expected.length) + 1;
  const why = `${expected.length} columns were expected, not ${fields.length}`;
  return broken(file, line, column, why);
}

function columnOf(file: string, head: CsvRow, name: string): number {
  const at = head.fields.indexOf(name);
  if (at === -1) throw broken(file, head.line, 1, `no column is named ${name}`);
  return at;
}

/** Row by row. A quote that does not close is found at the end of the text, and named where it began. */
class CsvReader {
  readonly #file: string;
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
  }

  next(): CsvRow | undefined {
    if (this.#at >= this.#text.length) return undefined;
    const line = this.#line;
    const fields: string[] = [];
    for (;;) {
      fields.push(this.#text[this.#at] === QUOTE ? this.#quoted(fields.length) : this.#plain());
      const end = this.#text[this.#at];
      if (end === ",") {
        this.#at += 1;
        continue;
      }
      if (end === "\r" && this.#text[this.#at + 1] === "\n") this.#at += 1;
      this.#at += 1;
      this.#line += 1;
      return { line, fields };
    }
  }

  /** To the next comma or line end; the reader stands before it. */
  #plain(): string {
    const start = this.#at;
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at];
      if (character === "," || character === "\n") break;
      if (character === "\r" && this.#text[this.#at + 1] === "\n") break;
      this.#at += 1;
    }
    return this.#text.slice(start, this.#at);
  }

  #quoted(column: number): string {
    const line = this.#line;
    let field = "";
    for (;;) {
      const close = this.#text.indexOf(QUOTE, this.#at + 1);
      if (close === -1) throw broken(this.#file, line, column + 1, "a quote that does not close");
      const part = this.#text.slice(this.#at + 1, close);
      field += part;
      for (const character of part) if (character === "\n") this.#line += 1;
      this.#at = close + 1;
      if (this.#text[this.#at] !== QUOTE) break;
      field += QUOTE;
    }
    const end = this.#text[this.#at];
    if (end !== undefined && end !== "," && end !== "\n" && end !== "\r") {
      throw broken(this.#file, this.#line, column + 1, "text after a closing quote");
    }
    return field;
  }
}

function broken(file: string, line: number, column: number, why: string): PetrelError {
  return new PetrelError("USAGE", `${file}: line ${line}, column ${column}: ${why}`, {
    file,
    line,
    column,
  });
}
