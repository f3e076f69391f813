/** Identifiers. Time-ordered, so that logs and KV keys sort by age. */

/** A UUID version 7 (RFC 9562 section 5.7). */
export function newId(): string {
  return Bun.randomUUIDv7();
}

/** True for a token that is safe as one NATS subject token and one KV key token. */
export function isSubjectToken(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,128}$/.test(text);
}
