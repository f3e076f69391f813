/**
 * The subset of SPL the stand-in understands, evaluated truly:
 * `search index=main service="a" (x=1 OR NOT "timed out") | fields a, b | head 10 | stats count by a`.
 * Whatever else comes is answered as Splunk answers a command it does not know.
 *
 * In Splunk's search command OR binds tighter than AND ("Boolean expressions", Search Reference).
 */
import { PetrelError } from "../../core/mod.ts";
import type { SimRow } from "./rows.ts";

export type Predicate = (row: SimRow) => boolean;

export type SimCommand =
  | { readonly name: "fields"; readonly keep: boolean; readonly fields: readonly string[] }
  | { readonly name: "table"; readonly fields: readonly string[] }
  | { readonly name: "head"; readonly rows: number }
  | { readonly name: "stats"; readonly by: readonly string[] };

export interface SimSearch {
  readonly index: string;
  readonly matches: Predicate;
  readonly commands: readonly SimCommand[];
  /** Every command with its arguments, as the parser endpoint tells them. */
  readonly parsed: readonly { readonly command: string; readonly rawargs: string }[];
}

function splError(text: string): PetrelError {
  return new PetrelError("QUERY_REFUSED", text, { message: text });
}

interface Token {
  readonly text: string;
  readonly quoted: boolean;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(/"((?:[^"\\]|\\.)*)"|(!=|[()=])|([^\s()="!]+|!)|(")/g)) {
    if (match[4] !== undefined) throw splError("Unbalanced quotes.");
    const quoted = match[1];
    tokens.push(
      quoted === undefined
        ? { text: match[2] ?? match[3] ?? "", quoted: false }
        : { text: quoted.replace(/\\(.)/g, "$1"), quoted: true },
    );
  }
  return tokens;
}

/** A pattern with `*` as a regular expression over a whole value, without regard to case. */
function valuePattern(text: string): RegExp {
  const escaped = text.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${escaped}$`, "is");
}

/** The same over a term in the raw text, which must not be part of a longer word. */
function termPattern(text: string): RegExp {
  const escaped = text.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "\\S*");
  return new RegExp(`(?<![A-Za-z0-9_])${escaped}(?![A-Za-z0-9_])`, "is");
}

function compare(field: string, value: string, index: string | undefined): Predicate {
  const pattern = valuePattern(value);
  return (row) => {
    const own = row[field] ?? (field === "index" ? index : undefined);
    if (own === undefined) return false;
    return typeof own === "string" ? pattern.test(own) : own.some((each) => pattern.test(each));
  };
}

function term(text: string): Predicate {
  if (text === "*") return () => true;
  const pattern = termPattern(text);
  return (row) => {
    const raw = row["_raw"];
    return typeof raw === "string" && pattern.test(raw);
  };
}

const UNPARSED = "Error in 'search' command: Unable to parse the search:";

/** Recursive descent over the terms of one search command: all > any > primary. */
class TermParser {
  readonly #tokens: readonly Token[];
  #at = 0;
  /** The first index the terms name. */
  index: string | undefined;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Predicate {
    const matches = this.#all();
    if (this.#at < this.#tokens.length) throw splError(`${UNPARSED} unbalanced parentheses.`);
    return matches;
  }

  #is(text: string): boolean {
    const token = this.#tokens[this.#at];
    return token?.quoted === false && token.text === text;
  }

  #all(): Predicate {
    const parts: Predicate[] = [];
    while (this.#at < this.#tokens.length && !this.#is(")")) {
      if (this.#is("AND")) this.#at++;
      parts.push(this.#any());
    }
    return (row) => parts.every((part) => part(row));
  }

  #any(): Predicate {
    const options = [this.#primary()];
    while (this.#is("OR")) {
      this.#at++;
      options.push(this.#primary());
    }
    return (row) => options.some((option) => option(row));
  }

  #primary(): Predicate {
    if (this.#is("NOT")) {
      this.#at++;
      const inner = this.#primary();
      return (row) => !inner(row);
    }
    if (this.#is("(")) {
      this.#at++;
      const inner = this.#all();
      if (!this.#is(")")) throw splError(`${UNPARSED} unbalanced parentheses.`);
      this.#at++;
      return inner;
    }
    const token = this.#tokens[this.#at++];
    if (token === undefined || (!token.quoted && /^(OR|AND|\)|=|!=|!)$/.test(token.text))) {
      throw splError(`${UNPARSED} '${token?.text ?? ""}'.`);
    }
    return this.#is("=") || this.#is("!=") ? this.#comparison(token.text) : term(token.text);
  }

  #comparison(field: string): Predicate {
    const negated = this.#is("!=");
    this.#at++;
    const value = this.#tokens[this.#at++];
    if (value === undefined || (!value.quoted && /^[()]$|^!?=$/.test(value.text))) {
      const why = "Comparator '=' is missing a term on the right hand side.";
      throw splError(`${UNPARSED} ${why}`);
    }
    if (field === "index" && !negated) this.index ??= value.text;
    const equal = compare(field, value.text, this.index);
    return negated ? (row) => row[field] !== undefined && !equal(row) : equal;
  }
}

function segmentsOf(spl: string): string[] {
  const parts = spl.match(/(?:"(?:[^"\\]|\\.)*"|[^|"]|")+|(?=\|\s*\|)/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

function names(text: string): string[] {
  return text.split(/[\s,]+/).filter((name) => name !== "");
}

function parseCommand(command: string, args: string): SimCommand {
  if (command === "table") return { name: "table", fields: names(args) };
  if (command === "fields") {
    const [, sign = "+", list = ""] = /^([+-])?\s*(.*)$/s.exec(args) ?? [];
    return { name: "fields", keep: sign === "+", fields: names(list) };
  }
  if (command === "head") {
    if (!/^\d*$/.test(args))
      throw splError("Error in 'head' command: The argument is not a number.");
    return { name: "head", rows: args === "" ? 10 : Number(args) };
  }
  const stats = /^count(?:\s+by\s+(.+))?$/is.exec(args);
  if (command === "stats" && stats !== null) return { name: "stats", by: names(stats[1] ?? "") };
  if (command === "stats") {
    throw splError(`Error in 'stats' command: The argument '${args}' is invalid.`);
  }
  throw splError(`Unknown search command '${command}'.`);
}

/** What Splunk knows and this stand-in does not run; its parser tells of them all the same. */
const PARSED_ONLY = new Set(
  (
    "append appendcols bin bucket chart collect convert datamodel dbxquery dedup delete dump eval " +
    "eventcount eventstats fillnull fit from inputlookup join loadjob lookup makeresults map mcollect " +
    "metadata meventcollect multisearch mvexpand outputcsv outputlookup outputtext rare regex rename " +
    "rest rex run savedsearch script sendalert sendemail set sort spath stats streamstats table tail " +
    "timechart top transaction tscollect tstats typeahead where fields head"
  ).split(" "),
);

/** What `search/v2/parser` tells of SPL: its commands, run or not. Throws as {@link parseSpl} does. */
export function parsedCommands(spl: string): SimSearch["parsed"] {
  const parsed = commandsOf(spl);
  if (parsed.length === 0) throw splError("Empty search.");
  for (const { command, rawargs } of parsed) {
    if (command === "search") new TermParser(tokensOf(rawargs)).parse();
    else if (!PARSED_ONLY.has(command)) throw splError(`Unknown search command '${command}'.`);
  }
  return parsed;
}

function commandsOf(spl: string): SimSearch["parsed"] {
  return segmentsOf(spl).map((segment) => {
    const [, command = "", rawargs = ""] = /^(\S*)\s*(.*)$/s.exec(segment) ?? [];
    return { command: command.toLowerCase(), rawargs };
  });
}

/** Reads SPL. Throws QUERY_REFUSED with Splunk's own sentence in `fields.message`. */
export function parseSpl(spl: string): SimSearch {
  const parsed = commandsOf(spl);
  const [first, ...rest] = parsed;
  if (first?.command !== "search") {
    throw splError(`Unknown search command '${first?.command.split(/[=("]/)[0] ?? ""}'.`);
  }
  const terms = new TermParser(tokensOf(first.rawargs));
  const matches = terms.parse();
  const commands = rest.map(({ command, rawargs }) => parseCommand(command, rawargs));
  return { index: terms.index ?? "main", matches, commands, parsed };
}
