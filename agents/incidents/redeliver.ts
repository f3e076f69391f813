/**
 * Sends again what one sink never took, when a person asks for it: each notice once, in the order of the
 * changes, as it was first put together and under the same id. A delivery is dead until its sink has taken
 * the notice, so that it may be asked for again whatever happened in between. Makes no notice, waits for no sink.
 */
import type { AlarmSink, Notice } from "../../alarms/mod.ts";
import { asPetrelError, type Clock, type Logger, messageOf } from "../../core/mod.ts";
import { changeId } from "./book.ts";
import { attemptOf, isWorthAnother } from "./deliver.ts";
import { marked } from "./deliveries.ts";
import type { Incident } from "./record.ts";
import type { IncidentStore } from "./store.ts";

/** What became of one notice at one sink. */
export interface Outcome {
  readonly seq: number;
  readonly sink: string;
  readonly state: "delivered" | "dead";
  /** Why it is dead. */
  readonly reason?: string;
}

export interface RedeliverOptions {
  readonly store: IncidentStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** When nobody waits for the outcome any more, milliseconds since the epoch. */
  readonly deadlineMs: number;
}

/** One sink and one incident. */
interface At extends RedeliverOptions {
  readonly incident: string;
  readonly sink: AlarmSink;
  readonly signal: AbortSignal;
}

interface Failure {
  readonly reason: string;
  /** What the sink was sent; absent where it was sent nothing. */
  readonly notice?: Notice;
  /** The sink is away, and the next notice would fare no better. */
  readonly isAway: boolean;
}

const REASON_CHARS_MAX = 300;

/**
 * Tries the changes `seqs` of an incident at `sink`, in their order. Throws what the store throws, and the
 * signal's reason; what was not sent then is still dead.
 */
export async function redeliverAt(
  incident: string,
  seqs: readonly number[],
  sink: AlarmSink,
  options: RedeliverOptions,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const at: At = { ...options, incident, sink, signal };
  const record = await options.store.incident(incident);
  if (record && (await isBeingTold(at, record))) return seqs.map((seq) => dead(at, seq, BUSY));
  const last = lastDelivered(record, sink);
  const outcomes: Outcome[] = [];
  /** Sent, and not to be the last that the sink hears. */
  const late: number[] = [];
  let away: number | undefined;
  for (const seq of seqs) {
    if (away !== undefined) {
      outcomes.push(dead(at, seq, `not tried after change ${away}`));
      continue;
    }
    const failure = await sendAgain(at, seq);
    if (failure?.isAway) away = seq;
    if (failure === undefined && seq < last && sink.isIdempotent) late.push(seq);
    else outcomes.push(await settled(at, seq, failure));
  }
  return [...outcomes, ...(await followed(at, late, last))].sort((a, b) => a.seq - b.seq);
}

/** Outcomes that say the same of all of them: nothing was tried. */
export function untried(sink: string, seqs: readonly number[], reason: string): Outcome[] {
  return seqs.map((seq) => ({ seq, sink, state: "dead", reason }));
}

export const BUSY = "a later change is being sent there: ask again when that has ended";

/**
 * A sink that keeps an alert, as PagerDuty does, believes what it hears last: an opening that comes after
 * the end would never end. So it hears again what it had heard last, which costs it nothing.
 */
async function followed(at: At, late: readonly number[], last: number): Promise<Outcome[]> {
  if (late.length === 0) return [];
  const failure = await sendAgain(at, last, "delivered");
  if (failure === undefined) return Promise.all(late.map((seq) => settled(at, seq)));
  const reason = `it was sent, and change ${last} could not be sent after it: ${failure.reason}`;
  return late.map((seq) => dead(at, seq, reason));
}

/** One attempt; undefined when the sink has it, by now or from somebody else. */
async function sendAgain(
  at: At,
  seq: number,
  isStill: "dead" | "delivered" = "dead",
): Promise<Failure | undefined> {
  const { store, clock, sink, signal, deadlineMs, incident } = at;
  const record = await store.incident(incident);
  const entry = record?.timeline.find((one) => one.seq === seq);
  if (entry && entry.deliveries[sink.name] !== isStill) return undefined;
  const notice = await store.notice(changeId(incident, seq));
  if (!notice) return { reason: "its notice is no longer kept", isAway: false };
  const timeoutMs = Math.min(sink.timeoutMs, deadlineMs - clock.nowMs());
  if (timeoutMs <= 0) return { reason: "there was no time left: ask again", isAway: true };
  const error = await attemptOf(sink, notice, signal, timeoutMs);
  if (error === undefined) return undefined;
  signal.throwIfAborted();
  const failure = asPetrelError(error, "INTERNAL", `sink ${sink.name}`);
  return { reason: failure.message, notice, isAway: isWorthAnother(failure) };
}

/** Keeps what became of it. The letter goes first: as long as the record says dead it can be sent again. */
async function settled(at: At, seq: number, failure?: Failure): Promise<Outcome> {
  const { store, clock, log, sink, incident } = at;
  const { name } = sink;
  const noticeId = changeId(incident, seq);
  if (failure) {
    const { notice, reason } = failure;
    log.warn("alarm.dead_again", { sink: name, noticeId, reason });
    const now = new Date(clock.nowMs()).toISOString();
    if (notice) await store.bury(notice, name, reason, now);
    return dead(at, seq, reason);
  }
  await store.unbury(noticeId, name);
  await store.changeIncident(
    incident,
    (now) => now && marked(now, { seq, sink: name }, "dead", "delivered"),
  );
  log.info("alarm.sent_again", { sink: name, noticeId });
  return { seq, sink: name, state: "delivered" };
}

function dead({ sink }: At, seq: number, reason: string): Outcome {
  return { seq, sink: sink.name, state: "dead", reason: messageOf(reason, REASON_CHARS_MAX) };
}

/** Whether a process still sees to a change at this sink: it would come before one that was earlier. */
async function isBeingTold({ store, sink }: At, { id, timeline }: Incident): Promise<boolean> {
  const { heads } = await store.book();
  const open = new Set(
    heads.find((head) => head.id === id)?.pending.map((change) => change.seq) ?? [],
  );
  return timeline.some(({ seq, deliveries }) => {
    return open.has(seq) && deliveries[sink.name] === "pending";
  });
}

function lastDelivered(record: Incident | undefined, { name }: AlarmSink): number {
  const delivered = record?.timeline.filter(({ deliveries }) => deliveries[name] === "delivered");
  return delivered?.at(-1)?.seq ?? 0;
}
