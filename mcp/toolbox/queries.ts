/**
 * Queries inside arguments, checked before they are sent: SPL by our own list and by Splunk's parser,
 * PromQL by its grammar and by what it would cost. Nothing here sends a query to be run.
 */
import { parser } from "@prometheus-io/lezer-promql";
import { PetrelError } from "../../core/mod.ts";
import { checkPromql } from "../prometheus/promql.ts";
import { checkCommand, checkSplStatement } from "../splunk/spl.ts";

/** The commands Splunk's own parser finds; as a SplunkClient has it. */
export type SplParser = (spl: string, signal: AbortSignal) => Promise<readonly string[]>;

/** The statement as it may be sent. Rejects with QUERY_REFUSED, or as the parser's endpoint does. */
export async function checkSpl(
  text: string,
  parse: SplParser,
  signal: AbortSignal,
): Promise<string> {
  const statement = checkSplStatement(text);
  for (const command of await parse(statement, signal)) checkCommand(command);
  return statement;
}

const PROMQL_CHARS_MAX = 4_000;
const SELECTORS_MAX = 10;
const SUBQUERIES_MAX = 2;
const SUBQUERY_STEPS_MAX = 1_500;
const RANGE_MS_MAX = 7 * 86_400_000;
/** Prometheus's default evaluation interval, a subquery's step where none is written. */
const STEP_MS = 60_000;

function refused(message: string): PetrelError {
  return new PetrelError("QUERY_REFUSED", `PromQL: ${message}`, { path: "query", message });
}

/**
 * Checks the grammar, and that the query names its metrics and reads no more than a week of few of them.
 * Throws QUERY_REFUSED with what to change.
 */
export function checkPromqlCost(query: string): void {
  if (query.length > PROMQL_CHARS_MAX)
    throw refused(`${query.length} characters; at most ${PROMQL_CHARS_MAX} are sent`);
  checkPromql(query);
  let selectors = 0;
  let subqueries = 0;
  parser.parse(query).iterate({
    enter: ({ name, node, from, to }) => {
      const text = query.slice(from, to);
      if (name === "VectorSelector") {
        selectors++;
        if (node.getChild("Identifier") === null && !namesMetric(text))
          throw refused(`${text.slice(0, 60)} names no metric; write the metric's name`);
      }
      const durations = node.getChildren("DurationExpr").map((at) => query.slice(at.from, at.to));
      if (name === "MatrixSelector") rangeMs(durations[0] ?? "");
      if (name !== "SubqueryExpr") return;
      subqueries++;
      const stepMs = durations[1] === undefined ? STEP_MS : durationMs(durations[1]);
      if (rangeMs(durations[0] ?? "") / stepMs > SUBQUERY_STEPS_MAX)
        throw refused(`a subquery has at most ${SUBQUERY_STEPS_MAX} steps; use a longer step`);
    },
  });
  if (selectors > SELECTORS_MAX) throw refused(`at most ${SELECTORS_MAX} selectors, ask in parts`);
  if (subqueries > SUBQUERIES_MAX) throw refused(`at most ${SUBQUERIES_MAX} subqueries`);
}

/** `{"name"}` and `{__name__="name"}` name a metric without an identifier before the brace. */
function namesMetric(selector: string): boolean {
  return /^\{\s*("[^"]+"\s*[,}]|__name__\s*=\s*"[^"]+")/.test(selector);
}

function rangeMs(text: string): number {
  const ms = durationMs(text);
  if (ms > RANGE_MS_MAX) throw refused(`a range is at most 7d, not ${text.slice(0, 40)}`);
  return ms;
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365 * 86_400_000,
};

/** `1h30m`, or seconds. Arithmetic on durations, new in Prometheus 3, is not read. */
function durationMs(text: string): number {
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Number(text) * 1_000;
  if (!/^(\d{1,9}(ms|[smhdwy]))+$/.test(text))
    throw refused(`"${text.slice(0, 40)}" is not a duration such as 5m or 1h30m`);
  return [...text.matchAll(/(\d+)(ms|[smhdwy])/g)].reduce(
    (ms, [, count, unit = "s"]) => ms + Number(count) * (UNITS[unit] ?? 0),
    0,
  );
}

const SECOND = "s|secs?|seconds?";
const MINUTE = "m|mins?|minutes?";
const HOUR = "h|hrs?|hours?";
/** Spelt out, so that a month (`mon`) is not read as a minute. */
const UNIT = `(${SECOND}|${MINUTE}|${HOUR}|d|days?|w|weeks?)`;
const RELATIVE = new RegExp(`^(?:now)?-(\\d{1,6})${UNIT}(?:@${UNIT})?$`);

/**
 * A point in time as Splunk and Grafana take it, in milliseconds: ISO 8601 with a zone, seconds since
 * 1970, `now`, `-15m`, `-1h@h`, `now-1h`. Undefined for anything else. A snap counts as a unit earlier.
 */
export function instantMs(value: unknown, nowMs: number): number | undefined {
  if (typeof value === "number") return instantMs(String(value), nowMs);
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  if (text === "now") return nowMs;
  if (/^\d{9,11}(\.\d{1,6})?$/.test(text)) return Number(text) * 1_000;
  const [, count, unit = "", snap] = RELATIVE.exec(text) ?? [];
  if (count !== undefined)
    return (
      nowMs - Number(count) * (UNITS[unit.charAt(0)] ?? 0) - (UNITS[snap?.charAt(0) ?? ""] ?? 0)
    );
  if (!/^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:?\d{2})$/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
