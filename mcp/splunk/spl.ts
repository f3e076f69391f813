/**
 * SPL, the Splunk query language, made only from checked parts. Typed values become quoted strings;
 * the one free part, `search`, passes a deny-by-default check first. Nothing here sends anything.
 *
 * The check does not parse SPL. It refuses whatever could make Splunk read the text differently from
 * the way it is read here: macros, subsearches, single quotes, escaped quotes, loose parentheses.
 */
import { PetrelError, type Window } from "../../core/mod.ts";

export interface SplunkQuery {
  /** One index name; a trailing `*` is allowed. */
  readonly index: string;
  /** Terms and allow-listed commands, e.g. `level=ERROR "timed out" | stats count by service`. */
  readonly search?: string;
  /** Events from `startMs` (included) to `endMs` (excluded). */
  readonly window: Window;
  /** Field name to accepted values: all fields must match, each with any of its values. */
  readonly filters?: Readonly<Record<string, readonly string[]>>;
  /** Keep only these fields. */
  readonly fields?: readonly string[];
}

const SEARCH_CHARS_MAX = 4_000;
const FILTER_VALUES_MAX = 500;
const VALUE_CHARS_MAX = 500;
const SPL_CHARS_MAX = 64 * 1024;

/**
 * Commands that read, group or shape the events already found. All others are refused, among them
 * those that write, delete, run, send or reach elsewhere (`collect`, `delete`, `dump`, `map`,
 * `outputlookup`, `script`, `sendemail`, `rest`, `dbxquery` …).
 */
export const COMMANDS_ALLOWED: ReadonlySet<string> = new Set([
  "bin",
  "bucket",
  "chart",
  "dedup",
  "eval",
  "eventstats",
  "fields",
  "fillnull",
  "head",
  "rare",
  "regex",
  "rename",
  "rex",
  "search",
  "sort",
  "spath",
  "stats",
  "streamstats",
  "table",
  "tail",
  "timechart",
  "top",
  "where",
]);

/** Names that mean something else than a field in the search command: other times, stored searches. */
const NOT_A_FIELD =
  /^(_?index|_index_(earliest|latest)|earliest|latest|(start|end)time(u)?|(start|end)?(seconds|minutes|hours|days|weeks|months)ago|searchtimespan\w*|timeformat|savedsearch|savedsplunk|search|eventtype|tag|and|or|not|by|in)$/i;
const MODIFIER =
  /(^|\W)(_index_(?:earliest|latest)|earliest|latest|(?:start|end)timeu?|(?:start|end)?(?:seconds|minutes|hours|days|weeks|months)ago|searchtimespan\w*|timeformat|savedsearch|savedsplunk)\s*(?:[=<>!]|::)/i;

function refuse(place: string, why: string): PetrelError {
  const fields = { system: "splunk", place, message: why };
  return new PetrelError(
    "QUERY_REFUSED",
    `splunk: the query was not sent: ${place}: ${why}`,
    fields,
  );
}

/** True for ASCII and Unicode control characters. */
function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

/**
 * A value as an SPL string, quotes included. Rejects with QUERY_REFUSED, naming `place`, a value with
 * a quote, backslash, pipe, backtick, bracket, wildcard or control character: none is part of an
 * index, source type or service name, and quoting alone does not disarm them in SPL.
 */
export function splString(value: string, place: string): string {
  if (value.length === 0) throw refuse(place, "is empty");
  if (value.length > VALUE_CHARS_MAX) {
    throw refuse(place, `is longer than ${VALUE_CHARS_MAX} characters`);
  }
  const bad = /["'\\|`[\]*]/.exec(value)?.[0];
  if (bad !== undefined) throw refuse(place, `must not contain ${bad}`);
  if (hasControl(value)) throw refuse(place, "must not contain control characters");
  return `"${value}"`;
}

function splField(name: string, place: string): string {
  if (!/^[A-Za-z_][\w.:-]{0,99}$/.test(name)) {
    throw refuse(place, "a field name has letters, digits, underscore, dot, colon and minus only");
  }
  return name;
}

function splFilter(name: string, values: readonly string[]): string {
  const place = `filters.${name.slice(0, 100)}`;
  const field = splField(name, place);
  if (NOT_A_FIELD.test(field))
    throw refuse(place, "is a search modifier, not a field to filter by");
  if (values.length === 0) throw refuse(place, "has no values; leave the filter out instead");
  if (values.length > FILTER_VALUES_MAX) {
    throw refuse(place, `has more than ${FILTER_VALUES_MAX} values`);
  }
  const terms = values.map((value, at) => `${field}=${splString(value, `${place}.${at}`)}`);
  return `(${terms.join(" OR ")})`;
}

function splIndex(index: string): string {
  if (!/^_?[a-z0-9][a-z0-9_-]{0,79}\*?$/.test(index)) {
    throw refuse("index", "must be one index name: lower case, digits, underscore and minus");
  }
  return `index="${index}"`;
}

/** Splits at pipes outside double quotes. Quoting must be free of doubt before this is called. */
function segmentsOf(text: string): string[] {
  const segments: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') quoted = !quoted;
    if (text[at] !== "|" || quoted) continue;
    segments.push(text.slice(start, at));
    start = at + 1;
  }
  segments.push(text.slice(start));
  return segments.map((segment) => segment.trim());
}

/** Refuses text that this file and Splunk might split or expand differently. */
function checkCharacters(text: string): void {
  if (text.length > SEARCH_CHARS_MAX) {
    throw refuse("search", `is longer than ${SEARCH_CHARS_MAX} characters`);
  }
  if (hasControl(text.replace(/[\n\t]/g, " "))) {
    throw refuse("search", "must not contain control characters");
  }
  if (text.includes("`")) throw refuse("search", "macros and comments (backticks) are not allowed");
  if (/[[\]]/.test(text)) throw refuse("search", "subsearches (square brackets) are not allowed");
  if (/\\["']/.test(text)) throw refuse("search", "a backslash must not stand before a quote");
  if (text.split('"').length % 2 === 0) throw refuse("search", "has an unclosed double quote");
  if (text.replace(/"[^"]*"/g, "").includes("'")) {
    throw refuse("search", "single quotes are allowed only inside double quotes");
  }
}

/** Refuses parentheses that would close a group this file opened. */
function checkParentheses(segment: string): void {
  let open = 0;
  for (const char of segment.replace(/"[^"]*"/g, "")) {
    if (char === "(") open++;
    if (char === ")" && --open < 0) break;
  }
  if (open !== 0) throw refuse("search", "parentheses do not match");
}

function checkModifiers(segment: string): void {
  const name = MODIFIER.exec(segment.replaceAll('"', " "))?.[2];
  if (name !== undefined) {
    throw refuse(
      "search",
      `"${name}" is not allowed: the window sets the times, typed filters the rest`,
    );
  }
}

/** The terms before the first pipe, and the commands after it. Rejects with QUERY_REFUSED. */
function splFragment(text: string): { terms: string; commands: string[] } {
  checkCharacters(text);
  const [head = "", ...commands] = segmentsOf(text);
  const terms = head.replace(/^search(\s+|$)/i, "");
  checkParentheses(terms);
  checkModifiers(terms);
  for (const command of commands) {
    const name = /^[A-Za-z]\w*/.exec(command)?.[0] ?? "";
    checkCommand(name);
    checkParentheses(command);
    if (name.toLowerCase() === "search") checkModifiers(command);
  }
  return { terms, commands };
}

/** Rejects a command that is not on the list with QUERY_REFUSED. */
export function checkCommand(name: string): void {
  if (COMMANDS_ALLOWED.has(name.toLowerCase())) return;
  const allowed = [...COMMANDS_ALLOWED].join(", ");
  const shown = name === "" ? "an empty command" : `command "${name.slice(0, 40)}"`;
  throw refuse("search", `${shown} is not allowed; allowed are ${allowed}`);
}

function checkWindow({ startMs, endMs }: Window): void {
  if (!Number.isFinite(startMs) || !Number.isFinite(endMs) || startMs < 0 || endMs <= startMs) {
    throw refuse("window", "must start before it ends");
  }
}

/**
 * The complete SPL of a query, starting with the `search` command. Rejects with QUERY_REFUSED whose
 * `fields.place` names the part (`index`, `filters.service.0`, `search`, `window`) and whose
 * `fields.message` says what is wrong with it.
 */
export function toSpl(query: SplunkQuery): string {
  checkWindow(query.window);
  const { terms, commands } = splFragment(query.search ?? "");
  const filters = Object.entries(query.filters ?? {}).map(([name, list]) => splFilter(name, list));
  const head = [
    "search",
    splIndex(query.index),
    ...filters,
    ...(terms === "" ? [] : [`(${terms})`]),
  ];
  const fields = (query.fields ?? []).map((name, at) => splField(name, `fields.${at}`));
  const last = fields.length === 0 ? [] : [`fields ${fields.join(", ")}`];
  const spl = [head.join(" "), ...commands, ...last].join(" | ");
  if (spl.length > SPL_CHARS_MAX) {
    throw refuse(
      "filters",
      `make a query of more than ${SPL_CHARS_MAX} characters; use fewer values`,
    );
  }
  return spl;
}

/**
 * A whole statement that somebody else wrote, as it may be sent to somebody else: `search`, terms, and
 * allow-listed commands. Rejects with QUERY_REFUSED, also what begins with a command or in SPL2.
 */
export function checkSplStatement(text: string): string {
  const { terms, commands } = splFragment(text);
  if (terms === "" || terms.startsWith("@"))
    throw refuse("search", "must begin with search terms, such as index=main ERROR");
  return [`search ${terms}`, ...commands].join(" | ");
}

/** An instant as Splunk takes it: seconds since the epoch with milliseconds. */
export function splTime(ms: number): string {
  return (ms / 1000).toFixed(3);
}
