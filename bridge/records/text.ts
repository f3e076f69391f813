/**
 * Text that goes into an attribute of a CloudEvent, and from there into a Kafka header. Ids are chosen by
 * peers and are hostile: a line break in one must not become a header, nor may two ids become one.
 */
import { PetrelError } from "../../core/mod.ts";

/** Printable ASCII without space, `"` and `%`: what the CloudEvents HTTP binding sends as it is. */
const SAFE = /^[!#$&-~]*$/;
const UNSAFE = /[^!#$&-~]/gu;

/**
 * `text` with every character that is not safe percent-encoded as UTF-8, as the CloudEvents HTTP binding
 * does (section 3.1.3.2); `%` too, so that different texts stay different. Kafka's binding sends a value
 * as it is, so the encoded form is the attribute's value, in both content modes.
 */
export function safeText(text: string): string {
  return SAFE.test(text) ? text : text.toWellFormed().replace(UNSAFE, percentEncoded);
}

/** Inverse of {@link safeText}; undefined for a text it did not make. */
export function originalText(text: string): string | undefined {
  try {
    return SAFE.test(text.replaceAll("%", "")) ? decodeURIComponent(text) : undefined;
  } catch {
    return undefined;
  }
}

/** True for what may stand in an attribute: safe text, or text that was made safe. */
export function isAttributeText(text: string): boolean {
  return ATTRIBUTE.test(text);
}
const ATTRIBUTE = /^[!#-~]*$/;

function percentEncoded(char: string): string {
  let encoded = "";
  for (const byte of Buffer.from(char)) encoded += `%${HEX[byte] ?? ""}`;
  return encoded;
}

const HEX = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).toUpperCase().padStart(2, "0"),
);

/** The last instant that RFC 3339 can write: the end of the year 9999. */
const TIME_MS_MAX = 253_402_300_799_999;

/** True for a time that RFC 3339 can write. */
export function isTime(ms: number): boolean {
  return ms >= 0 && ms <= TIME_MS_MAX;
}

/** RFC 3339 in UTC with milliseconds; undefined for a time it cannot write. */
export function timeText(ms: number): string | undefined {
  return isTime(ms) ? new Date(ms).toISOString() : undefined;
}

/** As {@link timeText}; throws INTERNAL for a time it cannot write: JetStream's own are none. */
export function instantText(ms: number): string {
  const text = timeText(ms);
  if (text !== undefined) return text;
  throw new PetrelError("INTERNAL", `record: time: ${ms} ms is no time RFC 3339 can write`);
}

/** Milliseconds since the epoch of what {@link timeText} made; undefined for any other text. */
export function timeOf(text: string): number | undefined {
  const ms = Date.parse(text);
  return timeText(ms) === text ? ms : undefined;
}
