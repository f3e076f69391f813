/**
 * Which services a question names: those that are known by name or by a part of it that is theirs alone,
 * and words that look like a service's name. A part of several names is ambiguous, and said to be.
 */
import { SERVICES_MAX } from "./record.ts";
import { folded } from "./text.ts";
import { SERVICE_WORDS, STOP_WORDS } from "./words.ts";

export interface NamedServices {
  readonly services: readonly string[];
  /** The first word that may mean several known services. */
  readonly ambiguous?: { readonly word: string; readonly candidates: readonly string[] };
}

const TOKENS_MAX = 600;
const CANDIDATES_MAX = 20;
const PART_CHARS_MIN = 3;
const SHAPE =
  /^[a-z0-9]+(?:[-_.][a-z0-9]+)*[-_](?:service|svc|api|gateway|server|worker|backend|frontend|db|app|job|proxy)$/;
const QUOTED = /[`"'«“„]([\p{L}\p{N}][\p{L}\p{N}._-]{1,199})[`"'»”“]/gu;
/** Parts of names that many services have. */
const GENERIC = new Set(["service", "svc", "api", "app", "server", "ts", "ms", "prod", "test"]);

/** The services in `question`, a plain text. `known` are names as the telemetry has them. Never throws. */
export function findServices(question: string, known: readonly string[]): NamedServices {
  const byName = new Map(known.map((name) => [folded(name), name]));
  const found = new Set<string>();
  let ambiguous: NamedServices["ambiguous"];
  const quoted = new Set([...question.matchAll(QUOTED)].map(([, name = ""]) => folded(name)));
  const words = tokensOf(question);
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const pair = pairAt(words, at, byName);
    if (pair) {
      found.add(pair);
      at++;
      continue;
    }
    const named = byName.get(word) ?? (SHAPE.test(word) || quoted.has(word) ? word : undefined);
    if (named !== undefined) {
      found.add(named.slice(0, 200));
      continue;
    }
    const candidates = partOf(word, known);
    const [only] = candidates;
    if (candidates.length === 1 && only !== undefined) found.add(only);
    else if (candidates.length > 1) ambiguous ??= { word, candidates };
  }
  const services = [...found].slice(0, SERVICES_MAX);
  // `payment gateway`: the other word says which of the candidates is meant.
  const isMeant = ambiguous?.candidates.some((name) => found.has(name)) ?? false;
  return { services, ...(ambiguous && !isMeant ? { ambiguous } : {}) };
}

function tokensOf(question: string): string[] {
  const tokens = folded(question).match(/[\p{L}\p{N}][\p{L}\p{N}._-]*/gu) ?? [];
  return tokens.slice(0, TOKENS_MAX).map((token) => token.replace(/[._-]+$/, ""));
}

/** `payment service` is payment-service, where that is known; so is `service payment`. */
function pairAt(
  words: readonly string[],
  at: number,
  byName: ReadonlyMap<string, string>,
): string | undefined {
  const [word = "", next = ""] = words.slice(at, at + 2);
  if (next === "") return undefined;
  const isService = (text: string) => SERVICE_WORDS.includes(text);
  const joined = isService(word) ? [`${next}-service`] : [`${word}-${next}`, `${word}_${next}`];
  const all = isService(next) ? [...joined, `${word}-service`] : joined;
  return all.map((name) => byName.get(name)).find((name) => name !== undefined);
}

/** The known services of whose name `word` is a part, such as `payment` of `ts-payment-service`. */
function partOf(word: string, known: readonly string[]): string[] {
  if (word.length < PART_CHARS_MIN || STOP_WORDS.has(word)) return [];
  const has = (name: string) =>
    folded(name)
      .split(/[-_.]/)
      .some((part) => part === word && !GENERIC.has(part));
  return known.filter(has).slice(0, CANDIDATES_MAX);
}
