/**
 * Sees to what the book says is still to be done: each change is explained if it needs words, recorded,
 * made an event, and told to every sink; then the book forgets it. Every step may be done twice without
 * harm, so that whoever follows a process that died begins where it likes. Decides nothing.
 */
import { type AlarmSink, isFor, type Notice, type SeenBefore } from "../../alarms/mod.ts";
import type { Clock, Logger } from "../../core/mod.ts";
import type { Explanation } from "../explain/record.ts";
import type { Verdict } from "../sre/records.ts";
import { type Book, changeId, type Head, type Pending } from "./book.ts";
import { noticeOf, recorded } from "./compose.ts";
import { deliver } from "./deliver.ts";
import { type DeadDelivery, marked } from "./deliveries.ts";
import { isDone } from "./life.ts";
import { featuresOf, type IncidentMemory } from "./memory.ts";
import { ownVerdict, ownWords } from "./own-words.ts";
import type { Change, ChangeKind, Incident } from "./record.ts";
import { BUSY, type Outcome, redeliverAt, untried } from "./redeliver.ts";
import type { IncidentStore } from "./store.ts";

export interface TellerOptions {
  readonly store: IncidentStore;
  readonly memory: IncidentMemory;
  readonly sinks: readonly AlarmSink[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly owner: string;
  readonly retryForMs: number;
  /** The verdict of an investigation, if it is still kept. */
  readonly verdict: (investigation: string) => Promise<Verdict | undefined>;
  /** Words for it, made once however often they are asked for. Rejects but for the signal never. */
  readonly explain: (
    verdict: Verdict,
    seenBefore: readonly SeenBefore[],
    signal: AbortSignal,
  ) => Promise<Explanation>;
  /** Makes the change an event of the incident's task. Resolves with the task's id. */
  readonly event: (incident: Incident, change: Change, signal: AbortSignal) => Promise<string>;
  /** Puts a notice on record before it goes out. */
  readonly audit: (notice: Notice) => Promise<void>;
  /** A notice is out, as far as it will go; with the investigation that brought it. */
  readonly onTold: (notice: Notice, investigation: string) => void;
}

/** A change in its record, and what sinks are told of it, if they are. */
interface Recorded {
  readonly incident: Incident;
  readonly entry: Change | undefined;
  readonly notice: Notice | undefined;
}

/** How far the seeing to of some changes is. */
export interface Seeing {
  /** Every change is explained and in its record. */
  readonly recorded: Promise<unknown>;
  /** And told to every sink, or given up. */
  readonly told: Promise<unknown>;
}

/** Changes that a person reads about for the first time, and so wants explained, if anybody is told. */
const EXPLAINED: readonly ChangeKind[] = ["opened", "updated", "reopened"];
/** Changes with which the incident is shown as a verdict has it. */
const SHOWN: readonly ChangeKind[] = [...EXPLAINED, "silenced"];
const RETRY_MS_MAX = 5_000;

export class Teller {
  readonly #options: TellerOptions;
  readonly #stop = new AbortController();
  /** Work in hand by change id. */
  readonly #inHand = new Map<string, Seeing>();
  /** The end of what is being done for an incident, or for an incident at a sink: one after the other. */
  readonly #tails = new Map<string, Promise<unknown>>();

  constructor(options: TellerOptions) {
    this.#options = options;
  }

  /**
   * Takes in hand whatever in `book` is this process's. What it promises rejects when this process stops;
   * what is open then stays in the book.
   */
  see(book: Book): Seeing {
    const mine = book.heads.flatMap((head) =>
      head.pending
        .filter(({ owner }) => owner === this.#options.owner)
        .map((change) => this.#take(head, change)),
    );
    return heard({
      recorded: Promise.all(mine.map((one) => one.recorded)),
      told: Promise.all(mine.map((one) => one.told)),
    });
  }

  /**
   * Sends dead notices of an incident again, once each, until `deadlineMs`; in the order of their changes
   * at each sink. Rejects with what the store says, and when this process stops or `signal` aborts: what
   * was not sent then is still dead.
   */
  async redeliver(
    incident: string,
    dead: readonly DeadDelivery[],
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<Outcome[]> {
    const { store, clock, log, sinks } = this.#options;
    const either = AbortSignal.any([signal, this.#stop.signal]);
    const perSink = Map.groupBy(dead, ({ sink }) => sink);
    const outcomes = [...perSink].map(async ([name, deliveries]) => {
      const seqs = deliveries.map(({ seq }) => seq).sort((a, b) => a - b);
      const sink = sinks.find((one) => one.name === name);
      if (!sink) return untried(name, seqs, "no sink of this name is configured");
      const line = `${incident} ${name}`;
      // What is in line there may be tried for long; nobody waits for that.
      if (this.#tails.has(line)) return untried(name, seqs, BUSY);
      const options = { store, clock, log, deadlineMs };
      return this.#after(line, () => redeliverAt(incident, seqs, sink, options, either));
    });
    return (await Promise.all(outcomes)).flat();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([...this.#inHand.values()].map(({ told }) => told));
  }

  #take(head: Head, change: Pending): Seeing {
    const id = changeId(head.id, change.seq);
    const known = this.#inHand.get(id);
    if (known) return known;
    const record = this.#after(head.id, () => this.#lasting(() => this.#record(head, change)));
    const told = this.#see(record, head, change).finally(() => this.#inHand.delete(id));
    const seeing = heard({ recorded: record, told });
    this.#inHand.set(id, seeing);
    return seeing;
  }

  async #see(record: Promise<Recorded>, head: Head, change: Pending): Promise<void> {
    const { store } = this.#options;
    const { incident, entry, notice } = await record;
    if (entry) {
      const event = this.#after(`${head.id} event`, () =>
        this.#lasting(() => this.#event(incident, entry)),
      );
      const telling = notice ? this.#tell(notice, incident, entry) : undefined;
      await Promise.all([event, telling]);
    }
    await this.#lasting(() => store.changeBook((book) => without(book, head.id, change.seq)));
  }

  /** In the record, and its notice kept, before the next change makes another incident of it. */
  async #record(head: Head, change: Pending): Promise<Recorded> {
    const incident = await this.#written(head, change);
    const entry = incident.timeline.find(({ seq }) => seq === change.seq);
    const made = entry && change.isTold ? noticeOf(incident, entry) : undefined;
    const notice = made && (await this.#options.store.keepNotice(made));
    return { incident, entry, notice };
  }

  /** Explained if it has to be, and in the record. */
  async #written(head: Head, change: Pending): Promise<Incident> {
    const { store, memory, verdict: verdictOf } = this.#options;
    const known = await store.incident(head.id);
    if (known?.timeline.some(({ seq }) => seq === change.seq)) return known;
    const whole = SHOWN.includes(change.kind) ? await verdictOf(head.investigation) : undefined;
    const isFault = head.kind === "fault";
    const seenBefore =
      whole && isFault
        ? memory.like({ ...head, features: featuresOf(whole.evidence) }, head.id, head.openedAt)
        : [];
    const needsWords = change.isTold && EXPLAINED.includes(change.kind);
    const explain = (found: Verdict) =>
      isFault ? this.#options.explain(found, seenBefore, this.#stop.signal) : ownWords(head, found);
    const explanation = whole && needsWords ? await explain(whole) : undefined;
    const verdict = ownVerdict(head, whole);
    const told = { verdict, explanation, seenBefore };
    const next = (now: Incident | undefined) =>
      recorded(now, head, change, { ...told, sinks: this.#sinksFor(head, change, now) });
    return (await store.changeIncident(head.id, next)) ?? next(known);
  }

  /** An end is told to those that were told of the beginning, whatever they are told from now on. */
  #sinksFor({ severity }: Head, { isTold, kind }: Pending, known: Incident | undefined): string[] {
    if (!isTold) return [];
    const { timeline = [] } = known ?? {};
    const told = new Set(timeline.flatMap(({ deliveries }) => Object.keys(deliveries)));
    // The beginning of a long one is no longer in its record.
    const isWhole = timeline[0]?.seq === 1;
    return this.#options.sinks
      .filter((sink) =>
        kind === "resolved" && isWhole ? told.has(sink.name) : isFor(sink, severity),
      )
      .map(({ name }) => name);
  }

  async #event(incident: Incident, entry: Change): Promise<void> {
    const { store, event } = this.#options;
    const known = (await store.incident(incident.id)) ?? incident;
    const taskId = await event({ ...incident, taskId: known.taskId }, entry, this.#stop.signal);
    if (taskId === known.taskId) return;
    await store.changeIncident(incident.id, (now) => now && { ...now, taskId });
  }

  async #tell(notice: Notice, incident: Incident, entry: Change): Promise<void> {
    const { sinks, audit, onTold } = this.#options;
    const states = Object.values(entry.deliveries);
    // Seen in a book from before it was done.
    if (states.length > 0 && !states.includes("pending")) return;
    const pending = sinks.filter(({ name }) => entry.deliveries[name] === "pending");
    const audited = this.#lasting(() => audit(notice));
    // In line before anything else is awaited: a sink hears of an incident's changes in their order.
    const sent = pending.map((sink) =>
      this.#after(`${incident.id} ${sink.name}`, async () => {
        await audited;
        await this.#send(sink, notice, entry.seq);
      }),
    );
    await Promise.all([audited, ...sent]);
    onTold(notice, entry.investigation ?? incident.investigation);
  }

  async #send(sink: AlarmSink, notice: Notice, seq: number): Promise<void> {
    const { store, clock, log, retryForMs } = this.#options;
    const isPending = () => this.#isPending(sink, notice, seq);
    const delivering = { clock, log, retryForMs, isPending };
    const outcome = await deliver(sink, notice, delivering, this.#stop.signal);
    if (outcome.state === "dead") {
      const at = new Date(clock.nowMs()).toISOString();
      await this.#lasting(() => store.bury(notice, sink.name, outcome.reason, at));
    }
    await this.#lasting(() =>
      store.changeIncident(
        notice.incident,
        (now) => now && marked(now, { seq, sink: sink.name }, "pending", outcome.state),
      ),
    );
  }

  /** By the record; where it cannot be read, twice is better than never. */
  async #isPending({ name }: AlarmSink, { incident }: Notice, seq: number): Promise<boolean> {
    const record = await this.#options.store.incident(incident).catch(() => undefined);
    const entry = record?.timeline.find((one) => one.seq === seq);
    return entry === undefined || entry.deliveries[name] === "pending";
  }

  /** After what is being done under the same key, whether that succeeds or not. */
  async #after<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(work);
    this.#tails.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(key) === mine) this.#tails.delete(key);
    }
  }

  /** Tried until it is done: NATS is away, not gone. Ends with this process. */
  async #lasting<T>(work: () => Promise<T>): Promise<T> {
    const { clock, log } = this.#options;
    const { signal } = this.#stop;
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        log.warn("incident.retry", { attempt, error });
        await clock.sleep(Math.min(RETRY_MS_MAX, 100 * 2 ** attempt), signal);
      }
    }
  }
}

/** Whoever waits for it hears of a failure; nobody has to. */
function heard(seeing: Seeing): Seeing {
  seeing.recorded.catch(() => {});
  seeing.told.catch(() => {});
  return seeing;
}

/** The book without a change that is done with; an incident that is over leaves it with its last. */
function without(book: Book, incident: string, seq: number): Book {
  const heads = book.heads
    .map((head) =>
      head.id === incident
        ? { ...head, pending: head.pending.filter((one) => one.seq !== seq) }
        : head,
    )
    .filter((head) => !isDone(head));
  return { ...book, heads };
}
