/**
 * Who is named in a sentence: known services, and whatever looks like the name of something. A name that
 * neither the verdict nor the cited evidence has is somebody's invention. Pure.
 */
import { comparable } from "./text.ts";

/** Known services and the pattern that finds each, however its parts are joined. Longest first. */
export type ServiceBook = readonly (readonly [service: string, pattern: RegExp])[];

const SERVICES_MAX = 500;

export function serviceBook(services: Iterable<string>): ServiceBook {
  const names = [...new Set(services)].filter((name) => /[\p{L}\p{N}]/u.test(name));
  return names
    .sort((a, b) => b.length - a.length)
    .slice(0, SERVICES_MAX)
    .map((name) => [name, patternOf(name)]);
}

/** `payment-service` is also `payment service`, `PaymentService` and `payment_service`. */
function patternOf(name: string): RegExp {
  const parts = comparable(name).match(/[\p{L}\p{N}]+/gu) ?? [];
  return new RegExp(
    `(?<![\\p{L}\\p{N}_-])${parts.join("[\\s_./:-]{0,2}")}(?![\\p{L}\\p{N}_-])`,
    "giu",
  );
}

/** The known services of a text, and the text without them. */
export function servicesIn(text: string, book: ServiceBook): { named: Set<string>; rest: string } {
  const named = new Set<string>();
  let rest = text;
  for (const [service, pattern] of book) {
    rest = rest.replace(pattern, () => {
      named.add(service);
      return " , ";
    });
  }
  return { named, rest };
}

const NOUN = "services?|svc|microservices?|gateway|api|server|backend|app|application|daemon|proxy";
const LOOKS_COMPOUND = new RegExp(
  `^[\\p{L}\\p{N}_.-]{2,}(?:${NOUN}|db|svc|worker|consumer)$`,
  "iu",
);
const TWO_WORDS = new RegExp(`([\\p{L}\\p{N}_-]+)\\s+(?:${NOUN})(?![\\p{L}\\p{N}])`, "giu");
const BEFORE_NOUN = new Set(
  `the this that its their a an each every other another any which what same affected calling called caller
downstream upstream failing faulty broken slow one no own single whole first second last named and or of to in with by
from for on at http web client failed all remote dependent internal external these those several both many more some
dependency payment's is as than`.split(/\s+/),
);

/** The first word that looks like a service's name; known ones are out of `rest` already. */
export function unknownService(rest: string): string | undefined {
  for (const [phrase, before] of rest.matchAll(TWO_WORDS)) {
    if (!BEFORE_NOUN.has((before ?? "").toLowerCase())) return phrase;
  }
  return wordsOf(rest).find(
    (word) =>
      LOOKS_COMPOUND.test(word) &&
      !/^(?:services?|microservices?|gateway|server|backend|applications?|proxy)$/i.test(word),
  );
}

/** Compounds of plain English; all others with a hyphen are names. */
const ENGLISH = new RegExp(
  "^(?:(?:re|non|pre|post|over|under|self|multi|high|low|long|short|time|end|cross|well|much|mid|near|full|half|read|write|back|follow|up|down|in|out|on|off|run|knock|fail|start|shut|set|so|one|two|three|first|second|user|client|server|round|wide|single|day|real|then|root|by|error|connection|thread|cpu|memory|pool|database|request|response|log|service|window|minute)-)" +
    "(?:[a-z]+(?:ing|ed|ly|al)|only|up|down|out|off|in|to|on|over|side|level|wide|based|end|trip|call|term|related|specific|caused?|cause|through|running|line|lines|free|rate|rates|time|times|run|by|per|of|long|start|fill|pool|like|and|point|zero|for|bound|heavy|burst|count)(?:-(?:[a-z]+(?:ing|ed)|to|by|of|the|end|up|cause|time|minute))*$",
  "i",
);
const ACRONYMS = new Set(
  "HTTP HTTPS JVM GC CPU SQL JDBC API TCP DNS TLS SSL URL ID OK ERROR ERRORS WARN INFO FATAL DB RAM IO UTC POST GET PUT DELETE PATCH REST JSON OOM JPA HikariCP PromQL SPL".split(
    " ",
  ),
);

/** The words of a text with their signs inside, such as `HikariPool-1` and `a.b.C#31`. */
function wordsOf(text: string): string[] {
  return (
    text
      .match(/[\p{L}\p{N}][\p{L}\p{N}_.#@:/$-]*/gu)
      ?.map((word) => word.replace(/[.:/$-]+$/, "")) ?? []
  );
}

/**
 * The first name in `rest` that stands neither in the cited text nor in plain language. `says` tells
 * whether the cited text has a word, `holds` whether it has these characters.
 */
export function inventedName(
  rest: string,
  cited: { says: (word: string) => boolean; holds: (part: string) => boolean },
): string | undefined {
  const starts = startsOf(rest);
  let from = 0;
  for (const word of wordsOf(rest)) {
    const at = rest.indexOf(word, from);
    from = at + word.length;
    if (!looksLikeName(word, starts.has(at))) continue;
    if (cited.says(word) || (isCapitalised(word) && cited.holds(word))) continue;
    return word;
  }
  return undefined;
}

function looksLikeName(word: string, isStart: boolean): boolean {
  // A word with a digit is a number or told among the numbers' names.
  if (/\p{N}/u.test(word)) return false;
  if (/[^\p{Script=Latin}\p{M}'’_.#@:/$-]/u.test(word)) return true;
  if (/[_.#@:/$]/.test(word)) return true;
  if (word.includes("-")) return !ENGLISH.test(word);
  if (/^[\p{Lu}]{2,}s?$/u.test(word)) return !ACRONYMS.has(word);
  if (/\p{Ll}\p{Lu}/u.test(word)) return !ACRONYMS.has(word);
  return isCapitalised(word) && word.length > 1 && !isStart;
}

function isCapitalised(word: string): boolean {
  return /^\p{Lu}\p{Ll}*$/u.test(word);
}

/** Where sentences and quotes begin: there a capital says nothing. */
function startsOf(text: string): Set<number> {
  const starts = new Set<number>();
  for (const found of text.matchAll(/(?:^|[.!?:;,"“”([])\s*(?=\p{Lu})/gu)) {
    starts.add(found.index + found[0].length);
  }
  return starts;
}
