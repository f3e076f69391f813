/**
 * Takes secrets out of text that leaves: card numbers, IBANs, bearer tokens, JWTs, API keys, e-mail
 * addresses. What is found is replaced by its kind. Linear in the text's length, whatever it holds.
 */

interface Rule {
  readonly kind: string;
  readonly pattern: RegExp;
  readonly holds?: (match: string) => boolean;
}

const RULES: readonly Rule[] = [
  { kind: "jwt", pattern: /\beyJ[\w-]{8,2000}\.[\w-]{4,4000}\.[\w-]{4,2000}/g },
  { kind: "bearer", pattern: /\b(?:bearer|basic|splunk)\s+[\w.~+/=-]{12,4000}/gi },
  {
    kind: "secret",
    pattern:
      /\b(?:api[-_]?key|secret|password|passwd|pwd|token)["']?\s{0,3}[=:]\s{0,3}["']?[^\s"',;&)}\]]{3,500}/gi,
  },
  { kind: "key", pattern: /\b(?:sk|pk|ghp|gho|xox[abp]|AKIA)[-_]?[A-Za-z0-9_-]{16,200}\b/g },
  {
    kind: "iban",
    pattern: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b/g,
    holds: isIban,
  },
  { kind: "card", pattern: /\b\d(?:[ -]?\d){12,18}\b/g, holds: isCardNumber },
  { kind: "email", pattern: /\b[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b/g },
];

/** `text` with every secret replaced by `[card]`, `[jwt]`, … The same text gives the same result. */
export function redact(text: string): string {
  let safe = text;
  for (const { kind, pattern, holds } of RULES) {
    safe = safe.replace(pattern, (match) => (holds && !holds(match) ? match : `[${kind}]`));
  }
  return safe;
}

/** 13 to 19 digits whose Luhn sum holds (ISO/IEC 7812-1 annex B), and not one digit repeated. */
function isCardNumber(match: string): boolean {
  const digits = match.replace(/\D/g, "");
  if (digits.length < 13 || digits.length > 19 || /^(\d)\1*$/.test(digits)) return false;
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
