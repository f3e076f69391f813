/** Text laid out on a screen: columns that line up, paragraphs that wrap. Cells and texts are safe to print. */

const WIDTH_MAX = 110;
const WIDTH_MIN = 50;

/** Columns as wide as their widest cell, as a terminal counts them: colours are nothing, 漢 is two. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [at, cell] of row.entries())
      widths[at] = Math.max(widths[at] ?? 0, Bun.stringWidth(cell));
  return rows.map((row) => lineOf(row, widths)).join("\n");
}

function lineOf(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map(
    (cell, at) => cell + " ".repeat(Math.max(0, (widths[at] ?? 0) - Bun.stringWidth(cell))),
  );
  return cells.join("  ").trimEnd();
}

/** What a line may have: the terminal's, within reason. */
export function screenWidth(): number {
  return Math.max(WIDTH_MIN, Math.min(WIDTH_MAX, process.stdout.columns ?? WIDTH_MAX));
}

/** Lines of at most `width`, broken between words; a word that is longer stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && Bun.stringWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** Beside a label: each text on its own lines, all behind the same margin. Nothing for no texts. */
export function labelled(label: string, texts: readonly string[], margin = 14): string[] {
  const shown = texts.filter((text) => text !== "");
  const lines = shown.flatMap((text) => wrap(text, screenWidth() - margin));
  return lines.map((line, at) => `${(at === 0 ? `  ${label}` : "").padEnd(margin)}${line}`);
}

/** Indented by `margin`, and what does not fit on the first line by `hanging`. */
export function indented(text: string, margin: number, hanging = margin + 4): string[] {
  const lines = wrap(text, screenWidth() - hanging);
  return lines.map((line, at) => `${" ".repeat(at === 0 ? margin : hanging)}${line}`);
}
