/**
 * Joins physical lines into events: a stack trace belongs to the line it follows. It holds one event
 * at a time, bounded; further lines of an event that is full are dropped and it is marked as cut.
 */
import { type Line, limits } from "../../core/mod.ts";
import type { Row } from "../model.ts";

const EVENT_LINES_MAX = 1_000;
/** How an event starts: with a date, a time, a brace, a bracketed date, a level, or `<14>` (syslog). */
const STARTS =
  /^(?:\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d|\d{4}\/\d\d\/\d\d|[{]|\[\d{4}-|<\d{1,3}>|[A-Z][a-z]{2} [ \d]\d \d\d:|(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\b)/;
const CONTINUES = /^(?:\s|Caused by: |Suppressed: |\.\.\. \d{1,6} )/;

export class EventJoiner {
  readonly #charsMax: number;
  #lines: string[] = [];
  #chars = 0;
  #cut = false;
  /** Whether the file has shown an event start at all; without one, each line is an event. */
  #started = false;

  constructor(charsMax: number = limits.LINE_BYTES_MAX) {
    this.#charsMax = charsMax;
  }

  /** Takes a line; answers the event before it when the line begins a new one. */
  push(line: Line): Row | undefined {
    const starts = STARTS.test(line.text);
    this.#started ||= starts;
    const continues = CONTINUES.test(line.text) || (this.#started && !starts) || line.text === "";
    const done = continues ? undefined : this.end();
    this.#append(line);
    return done;
  }

  /** The event still held, at the end of the input. */
  end(): Row | undefined {
    const raw = this.#lines.join("\n").trimEnd();
    const cut = this.#cut;
    this.#lines = [];
    this.#chars = 0;
    this.#cut = false;
    if (raw === "") return undefined;
    return { raw, ...(cut && { cut }) };
  }

  #append(line: Line): void {
    const room = this.#charsMax - this.#chars;
    const full = room <= 0 || this.#lines.length >= EVENT_LINES_MAX;
    this.#cut ||= line.cut || full || line.text.length > room;
    if (full) return;
    const text = line.text.slice(0, room);
    this.#lines.push(text);
    this.#chars += text.length + 1;
  }
}
