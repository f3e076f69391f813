/**
 * Takes secrets out of text that leaves: card numbers, IBANs, bearer tokens, JWTs, API keys, passwords,
 * e-mail addresses. What is found is replaced by its kind. Linear in the text's length, whatever it
 * holds: every repetition is bounded, or cannot start again inside what it has passed.
 */

interface Rule {
  readonly kind: string;
  readonly pattern: RegExp;
  readonly holds?: (match: string) => boolean;
  /** The match is groups of characters; its first ones alone may hold, or a later one may begin another. */
  readonly isGrouped?: boolean;
}

const RULES: readonly Rule[] = [
  { kind: "credentials", pattern: /(?<=:\/\/)[^\s/?#"'<>]{1,300}(?=@)/g },
  { kind: "jwt", pattern: /(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?/g },
  {
    kind: "bearer",
    pattern: /\b(?:bearer|basic|splunk)\s+[\w.~+/=-]{12,4000}/gi,
    holds: isCredential,
  },
  {
    // A value in quotes ends at its quote; inside JSON inside a string both quotes are escaped.
    kind: "secret",
    pattern:
      /\b(?:api[-_]?key|secret|password|passwd|pwd|token)\\{0,3}["']?\s{0,3}[=:]\s{0,3}(?:\\{0,3}"[^"]{1,500}"|'[^']{1,500}'|(?!\[[a-z]+\])\\{0,3}["']?[^\s"',;&)}\]]{3,500})/gi,
  },
  {
    kind: "key",
    pattern:
      /\b(?:(?:sk|pk|rk)[-_][\w-]{16,200}|gh[opsu]_\w{16,200}|xox[abp]-[\w-]{16,200}|AKIA[A-Z0-9]{16})\b/g,
    holds: (match) => /\d/.test(match),
  },
  {
    kind: "iban",
    pattern: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b/g,
    holds: isIban,
    isGrouped: true,
  },
  {
    // UUIDs and `traceparent` headers are matched to be passed over: their digits are no card's.
    kind: "card",
    pattern:
      /\b(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|\d{13,19}|\d{4}(?:[ -]\d{4}){2}[ -]\d{1,4}(?:[ -]\d{1,3})?|\d{4}[ -]\d{6}[ -]\d{4,5})\b/gi,
    holds: isCardNumber,
    isGrouped: true,
  },
  { kind: "email", pattern: /\b[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b/g },
];

/** `text` with every secret replaced by `[card]`, `[jwt]`, … The same text gives the same result. */
export function redact(text: string): string {
  let safe = text;
  for (const rule of RULES)
    safe = rule.isGrouped ? redactGroups(safe, rule) : redactAll(safe, rule);
  return safe;
}

function redactAll(text: string, { kind, pattern, holds }: Rule): string {
  return text.replace(pattern, (match) => (holds && !holds(match) ? match : `[${kind}]`));
}

/** As {@link redactAll}; a match that is one group too long at its end or its start is found as well. */
function redactGroups(text: string, { kind, pattern, holds }: Rule): string {
  const next = new RegExp(pattern);
  let safe = "";
  let done = 0;
  for (let found = next.exec(text); found !== null; found = next.exec(text)) {
    const [match] = found;
    const isPassedOver = IDENTIFIER.test(match);
    const secret = isPassedOver ? undefined : longest(match, holds);
    if (secret === undefined) {
      next.lastIndex = found.index + (isPassedOver ? match.length : firstGroup(match));
      continue;
    }
    safe += `${text.slice(done, found.index)}[${kind}]`;
    done = found.index + secret.length;
    next.lastIndex = done;
  }
  return safe + text.slice(done);
}

/** A UUID or a `traceparent`, as the card rule matches them. */
const IDENTIFIER = /^[0-9a-f]{2}(?:[0-9a-f]{6})?-.{23,}$/i;

/** The match, else the longest run of its first groups that holds. */
function longest(match: string, holds: Rule["holds"]): string | undefined {
  for (let end = match.length; end > 0; end = match.slice(0, end).search(/[ -][^ -]*$/)) {
    if (holds?.(match.slice(0, end))) return match.slice(0, end);
  }
  return undefined;
}

function firstGroup(match: string): number {
  const end = match.search(/[ -]/);
  return end < 0 ? match.length : end;
}

/** Words that follow "basic" or "splunk" in a sentence have no digit and no capital inside. */
function isCredential(match: string): boolean {
  return /[\d=]|[a-z][A-Z]/.test(match);
}

/**
 * 13 to 19 digits whose Luhn sum holds (ISO/IEC 7812-1 annex B), and not one digit repeated. Instants
 * are no cards: no issuer's numbers begin with 0, 20, or, but for airlines' 15 digits, 1.
 */
function isCardNumber(match: string): boolean {
  if (!/^[\d -]+$/.test(match)) return false;
  const digits = match.replace(/\D/g, "");
  if (digits.length < 13 || digits.length > 19 || /^(?:(\d)\1*$|0|20|1(?!\d{14}$))/.test(digits))
    return false;
  let sum = 0;
  for (let place = 0; place < digits.length; place++) {
    const digit = Number(digits[digits.length - 1 - place]);
    const doubled = place % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** ISO 13616: the number, its first four characters moved to the end, leaves 1 divided by 97. */
function isIban(match: string): boolean {
  const text = match.replaceAll(" ", "");
  if (text.length < 15 || text.length > 34) return false;
  let rest = 0;
  for (const char of text.slice(4) + text.slice(0, 4)) {
    const value = Number.parseInt(char, 36);
    rest = (value > 9 ? rest * 100 + value : rest * 10 + value) % 97;
  }
  return rest === 1;
}
