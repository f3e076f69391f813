/**
 * Shows an evaluation: progress while it runs, then ours beside what others published. In JSON mode
 * standard output has one object a suite and nothing else; progress, and what was left out of the data,
 * go to standard error.
 */
import { compare, type Evaluated, ORIGINS } from "../../eval/mod.ts";
import { colour, count, oneLine } from "./text.ts";

const CASES_SHOWN_MAX = 100;
const REASON_CHARS_MAX = 500;

export class EvalView {
  readonly #json: boolean;
  #live = false;

  constructor(json: boolean) {
    this.#json = json;
  }

  /** One line that is written over on a terminal; nothing elsewhere. */
  progress(suite: string, done: number, total: number, what: string): void {
    if (!process.stderr.isTTY) return;
    process.stderr.write(`\r\x1b[2K${suite} ${done}/${total} ${oneLine(what, 60)}`);
    this.#live = true;
  }

  show(evaluated: Evaluated): void {
    if (this.#live) process.stderr.write("\r\x1b[2K");
    this.#live = false;
    for (const line of leftLines(evaluated)) process.stderr.write(`${line}\n`);
    const text = this.#json ? `${JSON.stringify(evaluated.report)}\n` : page(evaluated);
    process.stdout.write(text);
  }
}

function leftLines({ left }: Evaluated): string[] {
  return left.map((reason) => `left out: ${oneLine(reason, REASON_CHARS_MAX)}`);
}

function page(evaluated: Evaluated): string {
  const { report, outcomes } = evaluated;
  const { data, licence, paper } = ORIGINS[report.suite];
  const width = Math.max(0, ...outcomes.map(({ name }) => oneLine(name, 60).length)) + 1;
  const lines = [
    `${colour("bold", report.suite)} · ${count(report.cases)} cases · ${report.seconds.toFixed(1)} s`,
    colour("grey", `  data: ${data} (${licence}); ${paper}`),
    ...outcomes.slice(0, CASES_SHOWN_MAX).map((one) => caseLine(one, width)),
    ...leftLines(evaluated).map((line) => colour("grey", `  ${line}`)),
    "",
    row(["", "ours", "published"]),
  ];
  for (const { metric, ours, published } of compare(report)) {
    const [first, ...others] = published.map(({ figure, who }) => `${shown(figure)}  ${who}`);
    lines.push(row([metric, shown(ours), first ?? ""]));
    for (const other of others) lines.push(row(["", "", other]));
  }
  lines.push("", ...groupLines(report.byGroup));
  return `${lines.join("\n")}\n\n`;
}

function groupLines(groups: Evaluated["report"]["byGroup"]): string[] {
  const names = Object.keys(groups).map((name) => oneLine(name, 60));
  const width = Math.max(0, ...names.map((name) => name.length)) + 2;
  return Object.values(groups).map((figures, at) => {
    const words = Object.entries(figures).map(([name, value]) => `${name} ${shown(value)}`);
    return `  ${(names[at] ?? "").padEnd(width)}${words.join("  ")}`;
  });
}

function caseLine(one: Evaluated["outcomes"][number], width: number): string {
  const mark = one.right ? colour("green", "✓") : colour("red", "✗");
  const expected = one.right ? "" : `  expected ${oneLine(one.expected, 80)}`;
  return `  ${mark} ${oneLine(one.name, 60).padEnd(width)} ${oneLine(one.answered, 120)}${expected}`;
}

function row([name = "", ours = "", published = ""]: readonly string[]): string {
  return `  ${name.padEnd(38)}${ours.padStart(8)}   ${published}`.trimEnd();
}

/** Whole numbers as they are, shares with three digits, percentages with one. */
function shown(value: number): string {
  if (Number.isInteger(value)) return count(value);
  return Math.abs(value) < 1 ? value.toFixed(3) : value.toFixed(1);
}
