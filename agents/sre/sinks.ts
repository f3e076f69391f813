/** Where alarms go: a stream of JSON lines, and a webhook. The terminal's own rendering is cli/'s. */
import { messageOf, PetrelError } from "../../core/mod.ts";
import type { AlarmSink } from "./incidents.ts";
import type { Alarm } from "./records.ts";

/** The alarm as programs get it: one object, the same in every sink. */
export function alarmJson(alarm: Alarm): Record<string, unknown> {
  const { id, severity, title, service, mechanism, verdict, explanation } = alarm;
  const { window, confidence, rootCause, causes, evidence } = verdict;
  const cited = new Set(causes[0]?.evidence ?? []);
  return {
    type: "petrel.alarm/v1",
    id,
    severity,
    title,
    service,
    mechanism,
    window,
    confidence,
    rootCause,
    affected: causes[0]?.affected ?? [],
    evidence: evidence.filter((one) => cited.has(one.id)),
    explanation,
  };
}

export function jsonLinesSink(write: (line: string) => void): AlarmSink {
  return {
    name: "jsonl",
    send: async (alarm) => write(`${JSON.stringify(alarmJson(alarm))}\n`),
  };
}

export interface WebhookOptions {
  readonly url: string;
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** POSTs the alarm. `Idempotency-Key` is the alarm's id, so a receiver can drop what it has. */
export function webhookSink(options: WebhookOptions): AlarmSink {
  return {
    name: "webhook",
    send: async (alarm, signal) => {
      const response = await post(options, alarm, signal);
      await response.body?.cancel();
      if (response.ok) return;
      const busy = response.status === 429 || response.status >= 500;
      throw new PetrelError(
        busy ? "OVERLOADED" : "QUERY_REFUSED",
        `webhook answered ${response.status}`,
        {
          system: "webhook",
          status: response.status,
        },
      );
    },
  };
}

async function post(options: WebhookOptions, alarm: Alarm, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(options.url, {
      method: "POST",
      headers: {
        ...options.headers,
        "content-type": "application/json",
        "idempotency-key": alarm.id,
      },
      body: JSON.stringify(alarmJson(alarm)),
      signal: AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]),
      redirect: "error",
    });
  } catch (error) {
    signal.throwIfAborted();
    const late = error instanceof Error && error.name === "TimeoutError";
    const redirected = error instanceof Error && /redirect/i.test(`${error.name} ${error.message}`);
    const code = redirected ? "QUERY_REFUSED" : late ? "DEADLINE_EXCEEDED" : "UNAVAILABLE";
    throw new PetrelError(code, `webhook: ${messageOf(error)}`, { system: "webhook" }, error);
  }
}
