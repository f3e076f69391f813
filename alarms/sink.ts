/** The port that every sink implements, and what decides whether a notice is for it. */
import { type Notice, SEVERITIES, type Severity } from "./notice.ts";

/** Where notices go. One attempt a call: retrying, deadlines and dead letters are the sender's. */
export interface AlarmSink {
  /** The configuration's key: `slack`, `pagerduty`. Unique in a process. */
  readonly name: string;
  /** Notices below this severity are not for it. */
  readonly minSeverity: Severity;
  /** Whether its receiver drops a notice that it has, by the notice's or the incident's id. */
  readonly isIdempotent: boolean;
  /** Longest attempt, milliseconds. */
  readonly timeoutMs: number;
  /**
   * Sends once. Throws a PetrelError; one that says `later` may be tried again, and its field
   * `retryAfterMs` says when, if the receiver did. Rejects with the signal's reason when it aborts.
   */
  send(notice: Notice, signal: AbortSignal): Promise<void>;
}

/** Whether a notice is urgent enough. What was told as open is also told as resolved. */
export function isFor({ minSeverity }: AlarmSink, severity: Severity): boolean {
  return SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(minSeverity);
}
