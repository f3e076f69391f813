/**
 * What a line of text or a metric's name says about the resource that is scarce. A table, so that a
 * new client library is a new row; the patterns are linear (no nested repeats), as log text is hostile.
 */
import type { Resource } from "../findings.ts";

export interface Symptom {
  readonly pattern: RegExp;
  readonly resource: Resource;
  /** The phrase a cause may take as its mechanism. */
  readonly phrase: string;
  /** True when the text accuses the service it names, not the one that wrote it. */
  readonly accusesOther: boolean;
}

const symptom = (
  pattern: RegExp,
  resource: Resource,
  phrase: string,
  accusesOther = false,
): Symptom => ({ pattern, resource, phrase, accusesOther });

/** The first row that matches wins: the specific stand above the general. */
export const SYMPTOMS: readonly Symptom[] = [
  symptom(
    /HikariPool|Connection is not available, request timed out|SQLTransientConnectionException|CannotGetJdbcConnection|PoolExhausted|Timeout waiting for (?:idle object|connection from pool)/i,
    "connection_pool",
    "database connection pool exhausted",
  ),
  symptom(
    /OutOfMemoryError|GC overhead limit|Java heap space|Metaspace/i,
    "jvm_memory",
    "memory pressure",
  ),
  symptom(
    /RejectedExecutionException|unable to create (?:new )?native thread|thread pool is exhausted/i,
    "threads",
    "threads exhausted",
  ),
  symptom(/No space left on device|disk quota exceeded/i, "disk", "disk full"),
  symptom(
    /No instances available|Connection refused|UnknownHost|NoRouteToHost|No servers available/i,
    "network",
    "not reachable",
    true,
  ),
  symptom(
    /Read timed out|SocketTimeoutException|connect timed out|Gateway Time-?out|ReadTimeoutException/i,
    "latency",
    "slow responses",
    true,
  ),
  symptom(/Connection reset|Broken pipe|Premature EOF/i, "network", "network errors", true),
  symptom(/CircuitBreaker\W.{0,80}\bOPEN\b|CallNotPermittedException/i, "errors", "errors", true),
  // The answer of a callee, as Feign, RestTemplate and gateways report it.
  symptom(
    /FeignException|HttpServerErrorException|InternalServerError\b|\bis not available\b|SERVICE_UNAVAILABLE|\b50[0234]\b.{0,20}\bduring\b/i,
    "errors",
    "errors",
    true,
  ),
];

/** The symptom a text shows, or undefined. */
export function symptomOf(text: string): Symptom | undefined {
  return SYMPTOMS.find((row) => row.pattern.test(text));
}

/** Tokens that look like a service's name next to words that accuse it. */
const ACCUSED =
  /(?:No instances available for|UnknownHostException:|Connection refused: (?:no further information: )?|https?:\/\/)\s*([A-Za-z0-9][\w.-]{1,100})/g;
const MENTIONS_MAX = 20;

/**
 * Services a text names: those of `known` that stand in it as a whole word, and those an error text
 * accuses by its grammar. `self` is left out.
 */
export function mentionsIn(text: string, known: ReadonlySet<string>, self: string): string[] {
  const found = new Set<string>();
  for (const [, name] of text.matchAll(ACCUSED)) {
    if (name !== undefined && (known.has(name) || name.includes("-"))) found.add(name);
  }
  for (const [word] of text.matchAll(/[A-Za-z0-9][\w-]{1,100}/g)) {
    if (known.has(word)) found.add(word);
  }
  found.delete(self);
  return [...found].slice(0, MENTIONS_MAX);
}
