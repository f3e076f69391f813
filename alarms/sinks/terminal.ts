/**
 * Notices in people's words, for a terminal or a pipe. Writes nothing of a notice that could move a
 * cursor, set a title or colour anything: the only escape sequences are its own.
 */
import type { Notice, Severity } from "../notice.ts";
import type { AlarmSink } from "../sink.ts";
import { linesOf, WHOLE, wordsOf } from "../words.ts";

export interface TerminalOptions {
  readonly write: (text: string) => void;
  /** Whether colours mean something where it is written. */
  readonly isTerminal: boolean;
  readonly minSeverity: Severity;
  readonly timeoutMs: number;
}

const COLOURS = { critical: "31", warning: "33", info: "36", resolved: "32" } as const;

export function terminalSink(options: TerminalOptions): AlarmSink {
  const { write, isTerminal, minSeverity, timeoutMs } = options;
  return {
    name: "terminal",
    minSeverity,
    isIdempotent: false,
    timeoutMs,
    send: async (notice, signal) => {
      signal.throwIfAborted();
      write(terminalText(notice, isTerminal));
    },
  };
}

/** The heading, and everything else two columns in. */
export function terminalText(notice: Notice, isTerminal: boolean): string {
  const [heading = "", ...others] = linesOf(wordsOf(notice, WHOLE));
  const colour = COLOURS[notice.change === "resolved" ? "resolved" : notice.severity];
  const first = isTerminal ? `\u001b[1;${colour}m${heading}\u001b[0m` : heading;
  return `${[first, ...others.map((line) => `  ${line}`.trimEnd())].join("\n")}\n`;
}
