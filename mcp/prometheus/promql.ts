/**
 * PromQL as text: checked before it is sent, and built without splicing.
 * Talks to nobody; a name or value from a log goes into a query through {@link promLabel} only.
 */
import { parser } from "@prometheus-io/lezer-promql";
import { PetrelError } from "../../core/mod.ts";

/** The longest expression that is looked at; Grafana's own largest panels stay far below. */
export const PROMQL_CHARS_MAX = 16 * 1024;
const NEAR_CHARS_MAX = 40;

/** A label name as PromQL writes it without quotes (Prometheus data model, "Metric names and labels"). */
const LABEL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

function refused(expr: string, offset: number, what: string): PetrelError {
  const near = expr.slice(offset, offset + NEAR_CHARS_MAX);
  const place = near === "" ? "its end" : `offset ${offset}, near "${near}"`;
  const message = `${what} at ${place}`;
  return new PetrelError("QUERY_REFUSED", `PromQL: ${message}`, { path: "query", offset, message });
}

/**
 * Checks the grammar of a PromQL expression with Prometheus's own Lezer grammar. Types are not
 * checked: Prometheus does that. Throws QUERY_REFUSED; `fields.offset` is the place, counted in
 * UTF-16 units from 0.
 */
export function checkPromql(expr: string): void {
  if (expr.trim() === "") throw refused(expr, expr.length, "an empty expression");
  if (expr.length > PROMQL_CHARS_MAX) {
    throw new PetrelError(
      "TOO_LARGE",
      `PromQL: ${expr.length} characters; at most ${PROMQL_CHARS_MAX} are sent`,
      { path: "query", limit: PROMQL_CHARS_MAX },
    );
  }
  const cursor = parser.parse(expr).cursor();
  do {
    if (cursor.type.isError) throw refused(expr, cursor.from, "a syntax error");
  } while (cursor.next());
}

function checkLabelName(name: string): void {
  if (!LABEL_NAME.test(name)) {
    throw new PetrelError("QUERY_REFUSED", `PromQL: "${name}" is not a label name`, {
      path: "label",
      message: `"${name}" is not a label name`,
    });
  }
}

/**
 * A value as a double-quoted PromQL string. PromQL takes Go's escapes, of which JSON's are a subset;
 * a lone surrogate, which Go refuses, becomes U+FFFD.
 */
export function promString(value: string): string {
  return JSON.stringify(value.toWellFormed());
}

/** One label matcher, e.g. `service="ts-order"`. Any text is a safe value; the name is checked. */
export function promLabel(name: string, value: string, operator: "=" | "!=" = "="): string {
  checkLabelName(name);
  return `${name}${operator}${promString(value)}`;
}

/** A matcher for any of `values`, taken literally: `service=~"a|b\\.c"`. */
export function promLabelIn(name: string, values: readonly string[]): string {
  checkLabelName(name);
  // RE2's metacharacters (https://github.com/google/re2/wiki/Syntax); Prometheus anchors both ends.
  const literal = values.map((value) => value.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&"));
  return `${name}=~${promString(literal.join("|"))}`;
}
