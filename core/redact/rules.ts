/**
 * What is found in text. Rules run in this order, each over what the ones before it left.
 *
 * Linear in the text's length, whatever it holds: every repetition is bounded, or cannot start again
 * inside what it has passed. A change here changes what the same body becomes in the audit: it goes
 * with a new {@link RULES_VERSION}.
 */
import { isCardNumber, isCredential, isIban, isTrack2 } from "./checks.ts";
import { type Hint, hints } from "./scan.ts";
import { TOKEN } from "./token.ts";

/** Name and number of this set of rules; a test pins the number to the rules and what they find. */
export const RULES_VERSION = "petrel-redact/2";

export interface Rule {
  readonly kind: string;
  /** The rule cannot match where the scan does not give this hint. */
  readonly hint: Hint;
  /** Its only group, if it has one, is the secret's name, which stays. */
  readonly pattern: RegExp;
  readonly holds?: (secret: string) => boolean;
  /** The match is groups of characters; its first ones alone may hold, or a later one may begin another. */
  readonly isGrouped?: boolean;
}

/** Behind an escape of JSON or a percent-encoded byte, whose last letter belongs to no word. */
const ESCAPED = "(?<=\\\\[nrt]|%[0-9a-fA-F]{2})";
/** A word begins here, also inside `a_name` or `aName`. For patterns with the flag `i`. */
const WORD = `(?:(?<![a-z0-9])|(?-i:(?<=[a-z0-9])(?=[A-Z]))|${ESCAPED})`;
const START = `(?:\\b|${ESCAPED})`;
const QUOTES = "(?:[\\\\\"'*`(\\[\\s+]|%2[02])";
/** Between a name and its value in JSON, XML, a URL, a log line. */
const SIGN = `${QUOTES}{0,8}(?:=>|[=:>]|%3[ad])${QUOTES}{0,8}`;
/** The same, or what stands there in a sentence. */
const GLUE = `${QUOTES}{0,8}(?:=>|[=:>]|%3[ad]|\\bis|\\bwas)?${QUOTES}{0,8}`;

const CVV_NAME =
  "(?:cvv|cvc|cvn|cav2|card[ _-]?verification[ _-]?(?:code|value|number)|security[ _-]?code)";
const NUMBER = "(?:[ _-]?(?:code|number|value|no))?";
const TRACK_NAME =
  "(?:track[ _-]?(?:[12](?:[ _-]?(?:equivalent[ _-]?)?data)?|data)|mag(?:netic)?[ _-]?stripe(?:[ _-]?data)?)";

/** Sensitive authentication data (PCI DSS 3.3) is never kept, in no form: these kinds are not keyed. */
const NEVER: readonly Rule[] = [
  {
    // ISO/IEC 7813 track 1, format B: %B PAN ^ NAME ^ YYMM … ?, also percent-encoded.
    kind: "track",
    hint: hints.DIGITS,
    pattern:
      /(?:%25|%|\b)B\d[\d ]{11,22}(?:\^|%5E)[^^?"\\\n]{2,60}?(?:\^|%5E)(?:[^?"\\\n]{0,100}(?:\?|%3F)|[\w^=/.*-]{0,100})/gi,
  },
  {
    kind: "track",
    hint: hints.DIGITS,
    pattern: /(?:;|%3B|\b)\d{13,19}(?:=|%3D|D)\d{4,40}F?(?:\?|%3F|(?!\w))/gi,
    holds: isTrack2,
  },
  {
    kind: "track",
    hint: hints.TRACK,
    pattern: new RegExp(`(${WORD}${TRACK_NAME}${SIGN})(?!${TOKEN})[^\\s"'&,\\\\]{8,200}`, "gi"),
    holds: (secret) => /\d{8}/.test(secret),
  },
  {
    kind: "cvv",
    hint: hints.CVV,
    pattern: new RegExp(`(${CVV_NAME}[ _-]?[12]?${NUMBER}${GLUE})\\d{3,4}(?!\\w)`, "gi"),
  },
  {
    // Both are names of other things as well, so that a sentence is not enough.
    kind: "cvv",
    hint: hints.CVV,
    pattern: new RegExp(`(${WORD}(?:csc|cid)${SIGN})\\d{3,4}(?!\\w)`, "gi"),
  },
  {
    kind: "pin",
    hint: hints.PIN,
    pattern: new RegExp(`(pin[ _-]?block(?:[ _-]?data)?${GLUE})[0-9a-f]{16,64}(?!\\w)`, "gi"),
  },
  {
    kind: "pin",
    hint: hints.PIN,
    pattern: new RegExp(`(${WORD}(?:card)?pin${NUMBER}${GLUE})\\d{4,12}(?!\\w)`, "gi"),
  },
];

export const RULES: readonly Rule[] = [
  ...NEVER,
  {
    kind: "credentials",
    hint: hints.AT,
    pattern: /(?<=:\/\/)[^\s/?#"'<>]{1,300}(?=@)/g,
  },
  {
    kind: "jwt",
    hint: hints.JWT,
    pattern: new RegExp(`(?:(?<![\\w-])|${ESCAPED})eyJ[\\w-]{8,}\\.[\\w-]{4,}(?:\\.[\\w-]*)?`, "g"),
  },
  {
    kind: "bearer",
    hint: hints.BEARER,
    pattern: new RegExp(`${START}(?:bearer|basic|splunk)\\s+[\\w.~+/=-]{12,4000}`, "gi"),
    holds: isCredential,
  },
  {
    // A value in quotes ends at its quote; inside JSON inside a string both quotes are escaped.
    // The token of a page of results is no secret.
    kind: "secret",
    hint: hints.SECRET,
    pattern: new RegExp(
      `${WORD}(?<!page_?)(?:api[-_]?key|secret|password|passwd|pwd|token)` +
        `\\\\{0,3}["']?\\s{0,3}[=:]\\s{0,3}` +
        `(?:\\\\{0,3}"[^"]{1,500}"|'[^']{1,500}'` +
        `|(?!\\\\{0,3}["']?${TOKEN})\\\\{0,3}["']?[^\\s"',;&)}\\]]{3,500})`,
      "gi",
    ),
  },
  {
    kind: "key",
    hint: hints.KEY,
    pattern: new RegExp(
      `${START}(?:(?:sk|pk|rk)[-_][\\w-]{16,200}|gh[opsu]_\\w{16,200}` +
        `|xox[abp]-[\\w-]{16,200}|AKIA[A-Z0-9]{16})\\b`,
      "g",
    ),
    holds: (secret) => /\d/.test(secret),
  },
  {
    kind: "iban",
    hint: hints.IBAN,
    pattern: new RegExp(`${START}[A-Z]{2}\\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\\b`, "g"),
    holds: isIban,
    isGrouped: true,
  },
  {
    // UUIDs and `traceparent` headers are matched to be passed over: their digits are no card's. Nor
    // are those of a fraction, of which one in ten would pass the sum.
    kind: "card",
    hint: hints.DIGITS,
    pattern: new RegExp(
      `(?<!\\d\\.)${START}(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}` +
        `|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}` +
        `|\\d{13,19}|\\d{4}(?:[ -]\\d{4}){2}[ -]\\d{1,4}(?:[ -]\\d{1,3})?` +
        `|\\d{4}[ -]\\d{6}[ -]\\d{4,5})\\b`,
      "gi",
    ),
    holds: isCardNumber,
    isGrouped: true,
  },
  {
    kind: "email",
    hint: hints.AT,
    pattern: /\b[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b/g,
  },
];
