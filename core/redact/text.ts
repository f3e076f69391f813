/** The rules applied to text as it stands. */
import { RULES, type Rule } from "./rules.ts";
import { scan } from "./scan.ts";
import type { Tokenise } from "./token.ts";

/**
 * A token may end what hid its neighbour, so that one pass is not always the last. Four are enough for
 * every text but one made for it, and the bound keeps that one linear.
 */
const PASSES_MAX = 4;

/** `text` with a token in the place of every secret. */
export function redactText(text: string, tokenise: Tokenise): string {
  let safe = text;
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const before = safe;
    const found = scan(before);
    if (found === 0) return safe;
    for (const rule of RULES) {
      if ((found & rule.hint) === 0) continue;
      safe = rule.isGrouped ? redactGroups(safe, rule, tokenise) : redactAll(safe, rule, tokenise);
    }
    if (safe === before) return safe;
  }
  return safe;
}

function redactAll(text: string, { kind, pattern, holds }: Rule, tokenise: Tokenise): string {
  return text.replace(pattern, (match: string, name: string | number) => {
    // Without a group the second argument is the match's place.
    const kept = typeof name === "string" ? name : "";
    const secret = match.slice(kept.length);
    return holds && !holds(secret) ? match : kept + tokenise(kind, secret);
  });
}

/** As {@link redactAll}; a match that is one group too long at its end or its start is found as well. */
function redactGroups(text: string, { kind, pattern, holds }: Rule, tokenise: Tokenise): string {
  const next = new RegExp(pattern);
  let safe = "";
  let done = 0;
  for (let found = next.exec(text); found !== null; found = next.exec(text)) {
    const [match] = found;
    const isPassedOver = IDENTIFIER.test(match);
    const secret = isPassedOver ? undefined : longest(match, holds);
    if (secret === undefined) {
      // After `%` two digits may be an encoded byte, and the number may begin behind them.
      const isEncoded = text[found.index - 1] === "%";
      next.lastIndex =
        found.index + (isPassedOver ? match.length : isEncoded ? 2 : firstGroup(match));
      continue;
    }
    safe += text.slice(done, found.index) + tokenise(kind, secret);
    done = found.index + secret.length;
    next.lastIndex = done;
  }
  return safe + text.slice(done);
}

/** A UUID or a `traceparent`, as the card rule matches them. */
const IDENTIFIER = /^[0-9a-f]{2}(?:[0-9a-f]{6})?-.{23,}$/i;

/** The match, else the longest run of its first groups that holds. */
function longest(match: string, holds: Rule["holds"]): string | undefined {
  for (let run = match; run !== ""; run = run.slice(0, Math.max(0, lastGap(run)))) {
    if (holds?.(run)) return run;
  }
  return undefined;
}

function lastGap(text: string): number {
  return Math.max(text.lastIndexOf(" "), text.lastIndexOf("-"));
}

function firstGroup(match: string): number {
  const end = match.search(/[ -]/);
  return end < 0 ? match.length : end;
}
