/**
 * Notices to any HTTP receiver: the notice as JSON under `Idempotency-Key`, signed as the Standard
 * Webhooks specification 1.0 has it where a secret is configured
 * (https://github.com/standard-webhooks/standard-webhooks). Any 2xx counts; its body is not read.
 */
import { createHmac } from "node:crypto";
import type { Clock } from "../../core/mod.ts";
import type { Severity } from "../notice.ts";
import { secretsOfUrl, send } from "../post.ts";
import type { AlarmSink } from "../sink.ts";

export interface WebhookOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `whsec_` and base64. */
  readonly secret?: string;
  readonly minSeverity: Severity;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const SYSTEM = "webhook";

export function webhookSink(options: WebhookOptions): AlarmSink {
  const { url, headers, secret, minSeverity, timeoutMs, clock } = options;
  // Names in one case: a configured one must not stand beside ours.
  const others = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const shown = Object.values(headers).flatMap((value) => [value, ...value.split(/\s+/)]);
  const secrets = [...secretsOfUrl(url), ...shown.filter((value) => value.length >= 8)];
  return {
    name: SYSTEM,
    minSeverity,
    isIdempotent: true,
    timeoutMs,
    send: async (notice, signal) => {
      const body = JSON.stringify(notice);
      const signed = secret === undefined ? {} : signedHeaders(notice.id, body, secret, clock);
      const ours = { ...others, ...signed, "idempotency-key": notice.id };
      const response = await send(
        { system: SYSTEM, url, headers: ours, body, timeoutMs, secrets },
        signal,
      );
      await response.discard();
    },
  };
}

function signedHeaders(id: string, body: string, secret: string, clock: Clock) {
  const timestamp = String(Math.floor(clock.nowMs() / 1_000));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatureOf({ id, timestamp, body }, secret),
  };
}

/** `v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`, with the bytes behind `whsec_` as key. */
export function signatureOf(
  { id, timestamp, body }: { id: string; timestamp: string; body: string },
  secret: string,
): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const sum = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return `v1,${sum}`;
}
