/**
 * The coordinator: takes windows, asks the agents, joins their replies, settles one verdict, and hands it
 * to the incidents. Several run at once; `kv.create` decides who takes a window, compare-and-set who still owns it.
 * A window whose owner died is finished by another, from whatever was already answered.
 */
import type { Mesh } from "../../a2a/mod.ts";
import {
  childSpan,
  formatTraceparent,
  isRetryable,
  type Logger,
  newId,
  newTrace,
  PetrelError,
  parseTraceparent,
  type TraceContext,
  unlessAborted,
  type Window,
  windowId,
  windowToJson,
} from "../../core/mod.ts";
import type { Dependency } from "../../streams/mod.ts";
import type { IncidentDesk, Taken } from "../incidents/desk.ts";
import { type LogQuerySpec, REQUEST_SCHEMA, toWindow } from "../protocol.ts";
import { type ReplyDesk, replyKey } from "../replies.ts";
import { type Answer, askForEvidence } from "./ask.ts";
import { type AnsweredSource, conclude, resultOf } from "./conclude.ts";
import type { SreEvent } from "./events.ts";
import type { InvestigationRecord, Verdict } from "./records.ts";
import type { InvestigationStore, Versioned } from "./store.ts";

export interface CoordinatorOptions {
  readonly mesh: Mesh;
  readonly store: InvestigationStore;
  readonly desk: ReplyDesk;
  readonly incidents: Pick<IncidentDesk, "take">;
  readonly log: Logger;
  /** Agents asked about every window. */
  readonly sources: readonly string[];
  /** Who calls whom by configuration. */
  readonly dependencies: readonly Pick<Dependency, "caller" | "callee">[];
  readonly timeoutMs: number;
  /** Investigations worked on at once by this process; the rest wait their turn. */
  readonly inFlightMax: number;
  /** Owners an investigation may have before it is settled without asking again. */
  readonly ownersMax: number;
  readonly onEvent: (event: SreEvent) => void;
}

export interface Opening {
  readonly window: Window;
  readonly baseline: readonly Window[];
  /** When incidents were, as far as known. */
  readonly incidents?: readonly Window[];
  readonly query?: LogQuerySpec;
  /** Something is known to be wrong in the window: rank suspects although nothing stands out. */
  readonly alerted?: boolean;
  /** Somebody asked for it: about now, or about what is long over, which alarms nobody. */
  readonly asked?: "now" | "past";
  /** Default: the window's own id, so that a window is investigated once. */
  readonly id?: string;
  /** The trace of whoever asked; default: a new one. */
  readonly trace?: TraceContext;
  /** How long whoever asked will wait; never more than the agent's own timeout. */
  readonly timeoutMs?: number;
}

/** Everything about an investigation that is its own, in one place. */
interface Case {
  readonly record: InvestigationRecord;
  readonly log: Logger;
}

/** The investigation ends no later than this after its words are found; who is left is told then. */
const ANNOUNCE_MS_MAX = 30_000;

export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #inHand = new Map<string, Promise<unknown>>();
  readonly #stop = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #inFlight = 0;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
  }

  /**
   * Takes a window and works on it to the end, waiting for NATS as long as it takes. Undefined when
   * another SRE agent has it. Rejects when this process is stopping; the record then waits for the next.
   */
  async investigate(opening: Opening): Promise<Verdict | undefined> {
    const record = this.#newRecord(opening);
    return this.#working(record.id, async () => {
      const claimed = await this.#persist(() => this.#claim(record));
      return claimed && this.#toTheEnd(claimed, false);
    });
  }

  /** Whether this process has the investigation in hand. */
  has(id: string): boolean {
    return this.#inHand.has(id);
  }

  /** Takes over an investigation whose owner is gone; undefined when somebody else did. */
  async adopt(orphan: Versioned<InvestigationRecord>): Promise<Verdict | undefined> {
    const { mesh, store } = this.#options;
    return this.#working(orphan.value.id, async () => {
      const change = { owner: mesh.instance, owners: orphan.value.owners + 1 };
      const taken = await store.update(orphan, change);
      return taken && this.#toTheEnd(taken, true);
    });
  }

  /** Claims a window; a claim whose acknowledgement was lost is ours all the same. */
  async #claim(record: InvestigationRecord): Promise<Versioned<InvestigationRecord> | undefined> {
    const { store } = this.#options;
    const claimed = await store.open(record);
    if (claimed) return claimed;
    const known = await store.get(record.id);
    // Message ids are minted with the record: nobody else's record has them.
    const ours = known?.value.sources[0]?.messageId === record.sources[0]?.messageId;
    return ours && known?.value.owners === 1 ? known : undefined;
  }

  /** Stops working. Open investigations stay in KV for whoever comes next. */
  async stop(): Promise<void> {
    this.#stop.abort(new PetrelError("CANCELLED", "the SRE agent is stopping"));
    for (const resume of this.#waiting) resume();
    await Promise.allSettled(this.#inHand.values());
  }

  /** Does `work` in one of the `inFlightMax` places, unless the investigation is in hand already. */
  #working(id: string, work: () => Promise<Verdict | undefined>): Promise<Verdict | undefined> {
    if (this.#inHand.has(id)) return Promise.resolve(undefined);
    const turn = this.#turn()
      .then(() => work().finally(() => this.#release()))
      .finally(() => this.#inHand.delete(id));
    this.#inHand.set(id, turn);
    return turn;
  }

  /** open → asked → joined → settled → taken by the incidents, who explain and tell → closed. */
  async #toTheEnd(
    owned: Versioned<InvestigationRecord>,
    adopted: boolean,
  ): Promise<Verdict | undefined> {
    const { store, onEvent } = this.#options;
    const one = this.#caseOf(owned.value);
    const { id } = one.record;
    onEvent({ type: "window_opened", id, window: toWindow(one.record.window), adopted });
    const known = await this.#persist(() => store.verdict(id));
    const verdict = known ?? (await this.#settle(one));
    const concluded =
      owned.value.state === "open"
        ? await this.#persist(() => store.update(owned, { state: "concluded" }))
        : owned;
    if (!concluded) {
      one.log.warn("investigation.fenced");
      return verdict;
    }
    onEvent({ type: "verdict", id, verdict });
    await this.#announce(one, verdict);
    const closedAt = new Date(this.#options.mesh.clock.nowMs()).toISOString();
    await this.#persist(() => store.update(concluded, { state: "closed", closedAt }));
    onEvent({ type: "closed", id });
    return verdict;
  }

  async #settle(one: Case): Promise<Verdict> {
    const { store, mesh } = this.#options;
    const answered = await this.#askAll(one);
    const verdict = conclude(one.record, answered, {
      concludedAt: new Date(mesh.clock.nowMs()).toISOString(),
      dependencies: this.#options.dependencies,
    });
    const settled = await this.#persist(() => store.settle(verdict));
    if (!settled.first) one.log.info("verdict.was_settled");
    return settled.verdict;
  }

  #askAll(one: Case): Promise<AnsweredSource[]> {
    const { mesh, desk, onEvent } = this.#options;
    const { id, window, baseline, query, traceparent, timeoutMs, sources, owners } = one.record;
    const { incidents = [] } = one.record;
    const spent = owners > this.#options.ownersMax;
    const parent = parseTraceparent(traceparent) ?? newTrace();
    const request = {
      schema: REQUEST_SCHEMA,
      investigation: id,
      window,
      baseline,
      ...(incidents.length > 0 ? { incidents } : {}),
      ...(query ? { query } : {}),
    } as const;
    return Promise.all(
      sources.map(async ({ agent, messageId }) => {
        const startedMs = mesh.clock.nowMs();
        // After too many owners the question itself may be what kills them: take what is there, and end.
        if (spent)
          return { agent, answer: await this.#answerThere(id, agent, messageId), tookMs: 0 };
        onEvent({ type: "task_sent", id, agent });
        const answer = await askForEvidence({
          transport: await mesh.agent(agent),
          desk,
          clock: mesh.clock,
          log: one.log,
          agent,
          messageId,
          request,
          trace: childSpan(parent),
          timeoutMs,
          signal: this.#stop.signal,
          onProgress: (text, data) => onEvent({ type: "progress", id, agent, text, data }),
        });
        const source = { agent, answer, tookMs: mesh.clock.nowMs() - startedMs };
        onEvent({ type: "source", id, agent, result: resultOf(source) });
        return source;
      }),
    );
  }

  /** The reply that is there already. Nobody is asked. */
  async #answerThere(id: string, agent: string, messageId: string): Promise<Answer> {
    const key = replyKey(id, agent, messageId);
    const reply = await this.#persist(() => this.#options.desk.find(key));
    return reply ? { kind: "reply", reply } : { kind: "timed_out" };
  }

  /** What the verdict means for the incidents; waits a while until those who are to be told are told. */
  async #announce(one: Case, verdict: Verdict): Promise<void> {
    const { incidents, mesh } = this.#options;
    // A look at some services only, or at what is long over, is an answer to whoever asked: it alarms
    // nobody, and cannot say that anything is over.
    const { query, asked } = one.record;
    if (query !== undefined || asked === "past") return;
    const taken = await this.#persist(() => incidents.take(verdict, asked !== undefined));
    this.#tellWhatGoesOn(verdict, taken);
    // Who stops leaves it in the book: the next one sees to it, and nobody waits for a model or for NATS.
    await unlessAborted(taken.recorded, this.#stop.signal).catch(() => {});
    const patience = mesh.clock.sleep(ANNOUNCE_MS_MAX, this.#stop.signal).catch(() => {});
    await Promise.race([taken.told.catch(() => {}), patience]);
    one.log.info("investigation.announced", {
      outcome: verdict.outcome,
      changes: taken.changes.map(({ change }) => change.kind).join(","),
    });
  }

  #tellWhatGoesOn({ id }: Verdict, { incidents, changes }: Taken): void {
    for (const head of incidents) {
      if (changes.some((one) => one.head.id === head.id && one.change.isTold)) continue;
      const why = whyUntold(head);
      const { id: incident, windows } = head;
      this.#options.onEvent({ type: "continued", id, incident, windows, why });
    }
  }

  /** A write that must happen: tried again while NATS is away, until this process stops. */
  async #persist<T>(write: () => Promise<T>): Promise<T> {
    const { mesh, log } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await write();
      } catch (error) {
        this.#stop.signal.throwIfAborted();
        if (error instanceof PetrelError && !isRetryable(error)) throw error;
        log.warn("store.retry", { attempt, error });
        await mesh.clock.sleep(Math.min(5_000, 100 * 2 ** attempt), this.#stop.signal);
      }
    }
  }

  #newRecord(opening: Opening): InvestigationRecord {
    const { mesh, sources, timeoutMs } = this.#options;
    return {
      id: opening.id ?? windowId(opening.window),
      window: windowToJson(opening.window),
      baseline: opening.baseline.map(windowToJson),
      ...(opening.incidents ? { incidents: opening.incidents.map(windowToJson) } : {}),
      ...(opening.query ? { query: opening.query } : {}),
      ...(opening.alerted ? { alerted: true } : {}),
      ...(opening.asked ? { asked: opening.asked } : {}),
      sources: sources.map((agent) => ({ agent, messageId: newId() })),
      timeoutMs: Math.max(1, Math.min(timeoutMs, Math.floor(opening.timeoutMs ?? timeoutMs))),
      state: "open",
      owner: mesh.instance,
      owners: 1,
      traceparent: formatTraceparent(opening.trace ?? newTrace()),
      openedAt: new Date(mesh.clock.nowMs()).toISOString(),
    };
  }

  #caseOf(record: InvestigationRecord): Case {
    const traceId = parseTraceparent(record.traceparent)?.traceId;
    return { record, log: this.#options.log.with({ windowId: record.id, traceId }) };
  }

  /** Waits for one of `inFlightMax` places. */
  async #turn(): Promise<void> {
    while (this.#inFlight >= this.#options.inFlightMax && !this.#stop.signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#stop.signal.throwIfAborted();
    this.#inFlight++;
  }

  #release(): void {
    this.#inFlight--;
    this.#waiting.shift()?.();
  }
}

function whyUntold({ silencedBy, state, isFlapping }: Taken["incidents"][number]) {
  if (silencedBy !== undefined) return "silenced";
  if (state === "pending") return "too_few_windows";
  return isFlapping ? "flapping" : "known";
}
