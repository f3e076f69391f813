/** Matchers of a silence as they are typed: `service=payment-*`, `severity!=critical`. */
import { Matcher } from "../../agents/mod.ts";
import { INCIDENT_KINDS, SEVERITIES } from "../../alarms/mod.ts";
import { PetrelError } from "../../core/mod.ts";

const FIELDS = Matcher.shape.field.options;
const MATCHERS_MAX = 20;
const VALUE_CHARS_MAX = 200;
const FORM = "write FIELD=VALUE or FIELD!=VALUE, where * stands for any text";

/** Fields with a closed set of values: one that is not in it would never match. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  severity: SEVERITIES,
  kind: INCIDENT_KINDS,
};

/** All of them. Throws USAGE naming the first that is wrong, and what is allowed. */
export function matchersOf(texts: readonly string[]): Matcher[] {
  if (texts.length === 0)
    throw new PetrelError("USAGE", `--match is missing: ${FORM}`, { path: "match" });
  if (texts.length > MATCHERS_MAX) {
    const message = `--match is given ${texts.length} times, at most ${MATCHERS_MAX}`;
    throw new PetrelError("USAGE", message, { path: "match" });
  }
  return texts.map(matcherOf);
}

function matcherOf(text: string): Matcher {
  const [, name = "", operator = "", rest = ""] = /^([^=!~]*)([=!~]+)(.*)$/s.exec(text) ?? [];
  if (operator === "") throw wrong(text, FORM);
  const field = FIELDS.find((one) => one === name.trim());
  if (field === undefined)
    throw wrong(text, `there is no field "${name.trim().slice(0, 40)}", only ${FIELDS.join(", ")}`);
  if (operator !== "=" && operator !== "!=")
    throw wrong(text, `there is no operator "${operator.slice(0, 10)}": ${FORM}`);
  const value = rest.trim();
  if (value === "") throw wrong(text, `the value is empty: ${FORM}`);
  if (value.length > VALUE_CHARS_MAX)
    throw wrong(text, `the value has ${value.length} characters, at most ${VALUE_CHARS_MAX}`);
  if (/\p{Cc}/u.test(value)) throw wrong(text, "the value holds a control character");
  const known = VALUES[field];
  if (known && !value.includes("*") && !known.includes(value))
    throw wrong(text, `no ${field} is like that: ${known.join(", ")}`);
  return { field, isEqual: operator === "=", value };
}

function wrong(text: string, why: string): PetrelError {
  const shown = text.replace(/\p{Cc}/gu, " ").slice(0, 80);
  return new PetrelError("USAGE", `--match "${shown}": ${why}`, { path: "match" });
}
