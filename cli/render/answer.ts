/**
 * An answer for people: its sentences, what they cite, and what to do next. Texts come from logs in part,
 * so every line is made safe for a terminal. Progress goes to standard error, so that a pipe has the answer.
 */
import type { Answer, Question } from "../../agents/supervisor/mod.ts";
import { colour, isTerminal, link, oneLine } from "./text.ts";

const LINE_CHARS_MAX = 4_000;
const SUMMARY_CHARS_MAX = 200;

/** Shows what is being done: one live line on a terminal, elsewhere a line each. */
export class ProgressView {
  readonly #stream: NodeJS.WriteStream;
  #last = "";
  #isLive = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  show(text: string): void {
    const words = oneLine(text, 200);
    if (words === "" || words === this.#last) return;
    this.#last = words;
    if (!this.#stream.isTTY) {
      this.#stream.write(`… ${words}\n`);
      return;
    }
    const width = Math.max(20, (this.#stream.columns ?? 100) - 3);
    this.#stream.write(`\r\x1b[2K… ${words.slice(0, width)}`);
    this.#isLive = true;
  }

  /** Removes the live line, if one is there. */
  end(): void {
    if (this.#isLive) this.#stream.write("\r\x1b[2K");
    this.#isLive = false;
  }
}

/** The answer, as lines. */
export function answerLines(answer: Answer): string {
  const { citations, next } = answer;
  const ids = Math.max(0, ...citations.map(({ id }) => id.length));
  const sources = Math.max(0, ...citations.map(({ source }) => source.length));
  const lines = [
    oneLine(answer.answer, LINE_CHARS_MAX),
    ...citations.map((one) => {
      const head = `${colour("cyan", one.id.padEnd(ids))}  ${one.source.padEnd(sources)}`;
      const [service, summary] = [
        oneLine(one.service, 80),
        oneLine(one.summary, SUMMARY_CHARS_MAX),
      ];
      const words = summary.startsWith(service) ? summary : `${service}: ${summary}`;
      return `  ${head}  ${words}${linkWords(one.link)}`;
    }),
    ...next.map((step) => `  next: ${oneLine(step, 300)}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** A word to click on a terminal; the address itself in a pipe. */
function linkWords(url: string | undefined): string {
  if (url === undefined || !/^https?:\/\/[\x21-\x7e]+$/.test(url)) return "";
  return isTerminal() ? `  ${link("open ↗", url)}` : `  ${url}`;
}

/** What Petrel needs to know, and how to say it. */
export function questionLines({ question }: Question, taskId: string): string {
  return `${oneLine(question, LINE_CHARS_MAX)}\n  answer with: petrel ask --task ${oneLine(taskId, 128)} "…"\n`;
}
