/**
 * One alarm per incident. An incident is what the same cause does over one or more windows; its record
 * in KV says whether it was raised and whether every sink has it. Sending is at least once under one
 * alarm id: a crash between sending and noting it sends the same alarm again, never another one.
 */
import { type Clock, type Logger, messageOf, newId, PetrelError } from "../../core/mod.ts";
import type { Alarm, Explanation, IncidentRecord, Verdict } from "./records.ts";
import type { InvestigationStore } from "./store.ts";

/** Where alarms go. Throws PetrelError; one that says `later` is tried again. */
export interface AlarmSink {
  readonly name: string;
  send(alarm: Alarm, signal: AbortSignal): Promise<void>;
}

export interface AlarmsOptions {
  readonly store: InvestigationStore;
  readonly sinks: readonly AlarmSink[];
  /** Puts an alarm on record before it goes out: once each time it is raised. */
  readonly record: (alarm: Alarm) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  /** The same cause again after a pause this long is a new incident. Milliseconds between windows. */
  readonly reopenAfterMs: number;
}

export type Raised =
  | { readonly kind: "raised"; readonly alarm: Alarm }
  | { readonly kind: "suppressed"; readonly alarmId: string; readonly windows: number }
  | { readonly kind: "none" };

const SEND_ATTEMPTS = 4;
const WRITE_ATTEMPTS = 10;

export class Alarms {
  readonly #options: AlarmsOptions;

  constructor(options: AlarmsOptions) {
    this.#options = options;
  }

  /** Raises the verdict's alarm, unless its incident is already known. Rejects when `signal` aborts. */
  async raise(verdict: Verdict, explanation: Explanation, signal: AbortSignal): Promise<Raised> {
    if (verdict.outcome !== "incident" || !verdict.rootCause) return { kind: "none" };
    const { incident, fresh } = await this.#note(verdict);
    if (!fresh) return { kind: "suppressed", alarmId: incident.alarmId, windows: incident.windows };
    const alarm = alarmOf(incident, verdict, explanation);
    await this.#options.record(alarm);
    await this.#noteDelivery(incident, await this.#send(alarm, signal));
    return { kind: "raised", alarm };
  }

  async #noteDelivery({ fingerprint, alarmId }: IncidentRecord, sent: boolean): Promise<void> {
    const delivery = sent ? "delivered" : "undeliverable";
    for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt++) {
      const known = await this.#options.store.incident(fingerprint);
      if (known?.value.alarmId !== alarmId) return;
      const written = { ...known.value, delivery } as const;
      if (await this.#options.store.putIncident(written, known.revision)) return;
    }
  }

  /** Writes the window into its incident; `fresh` when this window's alarm still has to go out. */
  async #note(verdict: Verdict): Promise<{ incident: IncidentRecord; fresh: boolean }> {
    const { store } = this.#options;
    let fingerprint = fingerprintOf(verdict);
    for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt++) {
      const known = await store.incident(fingerprint);
      if (known && this.#isLongBefore(known.value, verdict)) {
        // A look back must not write over the incident that is going on: it has a record of its own.
        fingerprint = `${fingerprintOf(verdict)}-${Date.parse(verdict.window.start)}`;
        continue;
      }
      const { incident, fresh } = this.#next(fingerprint, known?.value, verdict);
      const unchanged = known !== undefined && incident === known.value;
      if (unchanged || (await store.putIncident(incident, known?.revision ?? 0)))
        return { incident, fresh };
    }
    throw new PetrelError("CONFLICT", `incident ${fingerprint} keeps changing`, { fingerprint });
  }

  #next(
    fingerprint: string,
    known: IncidentRecord | undefined,
    verdict: Verdict,
  ): { incident: IncidentRecord; fresh: boolean } {
    // The same investigation again: its owner died before the alarm was known to be out.
    if (known?.investigation === verdict.id)
      return { incident: known, fresh: known.delivery !== "delivered" };
    if (known && this.#continues(known, verdict)) {
      // An alarm that no sink took is said again by the next window, under the same id.
      const again = known.delivery === "undeliverable";
      return {
        incident: {
          ...known,
          // Who says it again answers for it: an owner that dies here is followed by one that sends it.
          ...(again ? { delivery: "pending", investigation: verdict.id } : {}),
          lastWindow: later(known.lastWindow, verdict.window),
          windows: known.windows + (isLast(known, verdict) ? 0 : 1),
        },
        fresh: again,
      };
    }
    const { service = "", mechanism = "" } = verdict.rootCause ?? {};
    const incident: IncidentRecord = {
      fingerprint,
      alarmId: newId(),
      service,
      mechanism,
      investigation: verdict.id,
      delivery: "pending",
      firstWindow: verdict.window,
      lastWindow: verdict.window,
      windows: 1,
    };
    return { incident, fresh: true };
  }

  #isLongBefore({ firstWindow }: IncidentRecord, { window }: Verdict): boolean {
    const pauseMs = Date.parse(firstWindow.start) - Date.parse(window.end);
    return pauseMs > this.#options.reopenAfterMs;
  }

  #continues(known: IncidentRecord, verdict: Verdict): boolean {
    const start = Date.parse(verdict.window.start);
    const end = Date.parse(verdict.window.end);
    const { reopenAfterMs } = this.#options;
    const after = start - Date.parse(known.lastWindow.end) <= reopenAfterMs;
    const before = Date.parse(known.firstWindow.start) - end <= reopenAfterMs;
    return after && before;
  }

  async #send(alarm: Alarm, signal: AbortSignal): Promise<boolean> {
    const sent = await Promise.all(
      this.#options.sinks.map((sink) => this.#sendTo(sink, alarm, signal)),
    );
    return sent.every(Boolean);
  }

  async #sendTo(sink: AlarmSink, alarm: Alarm, signal: AbortSignal): Promise<boolean> {
    const { clock, log } = this.#options;
    for (let attempt = 1; attempt <= SEND_ATTEMPTS; attempt++) {
      try {
        await sink.send(alarm, signal);
        return true;
      } catch (error) {
        // Stopped, not refused: the record stays pending, and the next owner sends it.
        signal.throwIfAborted();
        const again =
          error instanceof PetrelError && error.retry === "later" && attempt < SEND_ATTEMPTS;
        log[again ? "warn" : "error"]("alarm.not_sent", {
          sink: sink.name,
          alarmId: alarm.id,
          attempt,
          error: messageOf(error),
        });
        if (!again) return false;
        await clock.sleep(500 * 2 ** attempt, signal).catch(() => {});
      }
    }
    return false;
  }
}

/** The incident's last window, looked at again. */
function isLast({ lastWindow }: IncidentRecord, { window }: Verdict): boolean {
  return lastWindow.start === window.start && lastWindow.end === window.end;
}

/** The same cause in the same place is the same incident. */
export function fingerprintOf(verdict: Verdict): string {
  const { service = "", mechanism = "" } = verdict.rootCause ?? {};
  return new Bun.CryptoHasher("sha256")
    .update(`${service}\n${mechanism}`)
    .digest("hex")
    .slice(0, 24);
}

function later(a: Verdict["window"], b: Verdict["window"]): Verdict["window"] {
  return Date.parse(a.end) >= Date.parse(b.end) ? a : b;
}

function alarmOf(incident: IncidentRecord, verdict: Verdict, explanation: Explanation): Alarm {
  const { alarmId: id, service, mechanism } = incident;
  const severity = verdict.confidence >= 0.7 ? "critical" : "warning";
  return { id, severity, title: explanation.title, service, mechanism, verdict, explanation };
}
