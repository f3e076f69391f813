/**
 * The SRE agent as a whole: coordinator, supervisor, schedule, and its own card, so that others may ask
 * it for an investigation. create → start → stop; cli/ and the tests use the same three.
 */
import type { KV } from "@nats-io/kv";
import type { AgentDefinition, Mesh, Turn, TurnResult } from "../../a2a/mod.ts";
import type { AlarmSink, SeenBefore, ToolUse } from "../../alarms/mod.ts";
import {
  type Logger,
  newId,
  PetrelError,
  type Window,
  windowId,
  withRetry,
} from "../../core/mod.ts";
import type { Dependency } from "../../streams/mod.ts";
import type { Explains } from "../explain/ports.ts";
import type { Explanation } from "../explain/record.ts";
import type { Head } from "../incidents/book.ts";
import { IncidentDesk } from "../incidents/desk.ts";
import { CHANGE_SCHEMA, keepChange, sendChange } from "../incidents/event.ts";
import { IncidentMemory } from "../incidents/memory.ts";
import { INCIDENTS_SCHEMA, INCIDENTS_SKILL } from "../incidents/protocol.ts";
import type { Change, Incident } from "../incidents/record.ts";
import { answerIncidents, type RequestsOptions } from "../incidents/requests.ts";
import type { LifeRules } from "../incidents/rules.ts";
import type { Maintenance } from "../incidents/silences.ts";
import { IncidentStore } from "../incidents/store.ts";
import { Teller } from "../incidents/teller.ts";
import { readRequest, toWindow } from "../protocol.ts";
import { ReplyDesk } from "../replies.ts";
import { Coordinator, type Opening } from "./coordinator.ts";
import type { SreEvent } from "./events.ts";
import { normalBefore } from "./normal.ts";
import type { Verdict } from "./records.ts";
import { type ScheduleOptions, windowsAsTheyEnd } from "./schedule.ts";
import { InvestigationStore } from "./store.ts";
import { supervise } from "./supervisor.ts";
import { keepToolUse, sendToolUse, TOOL_USE_SCHEMA } from "./tool-event.ts";

export interface SreAgentOptions {
  readonly mesh: Mesh;
  /** The bucket of {@link INVESTIGATIONS_BUCKET}. */
  readonly kv: KV;
  /** The bucket of {@link INCIDENTS_BUCKET}. */
  readonly incidentsKv: KV;
  readonly log: Logger;
  readonly sources: readonly string[];
  readonly timeoutMs: number;
  readonly baselineWindows: number;
  readonly inFlightMax: number;
  readonly superviseEveryMs: number;
  /** Who calls whom by configuration. */
  readonly dependencies?: readonly Pick<Dependency, "caller" | "callee">[];
  readonly sinks: readonly AlarmSink[];
  readonly explainer: Explains;
  readonly rules: LifeRules;
  readonly maintenance: readonly Maintenance[];
  /** How long a notice is tried before it is a dead letter. */
  readonly retryForMs: number;
  readonly onEvent?: (event: SreEvent) => void;
}

/** What may differ from the agent's own settings; `id` names the investigation, once. */
export type InvestigateOptions = Partial<Omit<Opening, "window">>;

const SRE = "sre";
const OWNERS_MAX = 5;
const WATCH_AGAIN_MS = 2_000;
/** How long the audit of a tool call is tried; NATS may be away for a while. */
const TOOL_USE_MS_MAX = 300_000;
const TOOL_USE_RETRY = { firstMs: 200, capMs: 10_000, attemptsMax: 100 };
/** Told to the agents: what is normal lies outside of them. */
const INCIDENTS_MAX = 50;
/** Kept back of a caller's patience, to answer within it. */
const ANSWER_MS = 500;
const BOOK_RETRY_MS = 1_000;

export class SreAgent {
  readonly #options: SreAgentOptions;
  readonly #replies: ReplyDesk;
  readonly #store: InvestigationStore;
  readonly #incidents: IncidentStore;
  readonly #memory = new IncidentMemory();
  readonly #teller: Teller;
  readonly #desk: IncidentDesk;
  readonly #coordinator: Coordinator;
  readonly #stop = new AbortController();
  /** Words that are paid for, and not yet kept. */
  readonly #made = new Map<string, Explanation>();
  #supervised: Promise<void> = Promise.resolve();
  #remembered: Promise<void> = Promise.resolve();

  constructor(options: SreAgentOptions) {
    this.#options = options;
    const { mesh, kv, log, maintenance, rules } = options;
    const common = { clock: mesh.clock, log, owner: mesh.instance };
    this.#replies = new ReplyDesk(kv, log);
    this.#store = new InvestigationStore(kv, log);
    this.#incidents = new IncidentStore({ kv: options.incidentsKv, ...common });
    this.#teller = this.#makeTeller(common);
    this.#desk = new IncidentDesk({
      store: this.#incidents,
      teller: this.#teller,
      isGone: (owner) => mesh.registry.isGone(owner),
      rules,
      maintenance,
      ...common,
    });
    this.#coordinator = new Coordinator({
      mesh,
      store: this.#store,
      desk: this.#replies,
      incidents: this.#desk,
      log,
      sources: options.sources,
      dependencies: options.dependencies ?? [],
      timeoutMs: options.timeoutMs,
      inFlightMax: options.inFlightMax,
      ownersMax: OWNERS_MAX,
      onEvent: (event) => this.#emit(event),
    });
  }

  #makeTeller(common: { clock: Mesh["clock"]; log: Logger; owner: string }): Teller {
    const { mesh, sinks, retryForMs } = this.#options;
    return new Teller({
      store: this.#incidents,
      memory: this.#memory,
      sinks,
      retryForMs,
      verdict: (investigation) => this.#store.verdict(investigation),
      explain: (verdict, seenBefore, signal) => this.#words(verdict, seenBefore, signal),
      event: (incident, change, signal) => this.#event(incident, change, signal),
      audit: (notice) => mesh.reportAlarm(notice.id, JSON.stringify(notice)),
      onTold: (notice, id) => this.#emit({ type: "told", id, notice }),
      ...common,
    });
  }

  /** A verdict's words, asked for once whoever asks. */
  async #words(
    verdict: Verdict,
    seenBefore: readonly SeenBefore[],
    signal: AbortSignal,
  ): Promise<Explanation> {
    const explanation =
      (await this.#store.words(verdict.id)) ?? (await this.#newWords(verdict, seenBefore, signal));
    this.#emit({ type: "explained", id: verdict.id, explanation });
    return explanation;
  }

  async #newWords(
    verdict: Verdict,
    seenBefore: readonly SeenBefore[],
    signal: AbortSignal,
  ): Promise<Explanation> {
    const { id } = verdict;
    const onToolUse = (use: ToolUse) => this.#keepToolUse(id, use, signal);
    const made =
      this.#made.get(id) ??
      (await this.#options.explainer.explain(verdict, { seenBefore, onToolUse }, signal));
    this.#made.set(id, made);
    const explanation = await this.#store.keepWords(id, made);
    this.#made.delete(id);
    return explanation;
  }

  /** On record; the explanation does not wait for it. */
  #keepToolUse(investigation: string, use: ToolUse, signal: AbortSignal): void {
    const { mesh, log } = this.#options;
    const retrying = {
      clock: mesh.clock,
      signal,
      deadlineMs: mesh.clock.nowMs() + TOOL_USE_MS_MAX,
    };
    const messageId = newId();
    const sent = withRetry(TOOL_USE_RETRY, retrying, async () => {
      const self = await mesh.agent(SRE);
      await sendToolUse(self, { messageId, investigation, use }, signal);
    });
    sent.catch((error: unknown) =>
      log.error("tool_use.not_recorded", { windowId: investigation, tool: use.tool, error }),
    );
  }

  async #event(incident: Incident, change: Change, signal: AbortSignal): Promise<string> {
    return sendChange(await this.#options.mesh.agent(SRE), incident, change, signal);
  }

  #emit(event: SreEvent): void {
    this.#options.onEvent?.(event);
  }

  /** Begins to listen for replies and to look after orphans. Serve {@link definition} beside it. */
  async start(): Promise<void> {
    const { mesh, log, superviseEveryMs } = this.#options;
    await this.#replies.start();
    this.#remembered = this.#remember();
    this.#supervised = supervise(
      {
        coordinator: this.#coordinator,
        store: this.#store,
        registry: mesh.registry,
        resume: () => this.#desk.resume(),
        instance: mesh.instance,
        clock: mesh.clock,
        log,
        everyMs: superviseEveryMs,
      },
      this.#stop.signal,
    );
  }

  /** Past incidents are a help and not a need: while the store is away nothing waits for them. */
  async #remember(): Promise<void> {
    const { mesh, log } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#incidents.watch((incident) => this.#memory.take(incident), signal);
      } catch (error) {
        log.warn("incidents.not_remembered", { error });
      }
      await mesh.clock.sleep(WATCH_AGAIN_MS, signal).catch(() => {});
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#coordinator.stop();
    await Promise.all([this.#supervised, this.#remembered]);
    await this.#teller.stop();
    this.#replies.stop();
  }

  /** Investigates one window now. Undefined when the id is taken: somebody investigates it already. */
  async investigate(
    window: Window,
    options: InvestigateOptions = {},
  ): Promise<Verdict | undefined> {
    const { baseline, ...rest } = options;
    const incidents = await this.#incidentsBefore(window);
    return this.#coordinator.investigate({
      id: `${windowId(window)}-${newId().slice(-12)}`,
      incidents,
      ...rest,
      window,
      baseline: baseline ?? normalBefore(window, this.#options.baselineWindows, incidents),
    });
  }

  /**
   * The latest ones that are not long over, and when they were. The window waits for NATS in any case, and a
   * fault that nobody knows of would be normal by then. Rejects when this process stops.
   */
  async #incidentsBefore({ startMs }: Window): Promise<Window[]> {
    const { mesh, log } = this.#options;
    for (let attempt = 1; ; attempt++) {
      this.#stop.signal.throwIfAborted();
      try {
        const { heads } = await this.#incidents.book();
        const lasting = heads.filter(isFault).map(lastingOf);
        return lasting.filter((one) => one.startMs < startMs).slice(-INCIDENTS_MAX);
      } catch (error) {
        log.warn("store.retry", { attempt, error });
        await mesh.clock.sleep(BOOK_RETRY_MS, this.#stop.signal);
      }
    }
  }

  /** Investigates windows as they end, until `signal` aborts. A slow window delays the next by one at most. */
  async watch(
    schedule: Omit<ScheduleOptions, "clock" | "log">,
    signal: AbortSignal,
  ): Promise<void> {
    const { mesh, log } = this.#options;
    let before: Promise<unknown> = Promise.resolve();
    for await (const window of windowsAsTheyEnd({ clock: mesh.clock, log, ...schedule }, signal)) {
      before = this.#inTurn(window, before, schedule.everyMs).catch((error: unknown) => {
        if (!signal.aborted) log.error("window.failed", { windowId: windowId(window), error });
      });
    }
  }

  /**
   * Windows that come at once, caught up or held up by NATS, one after the other: each has to know of the
   * incidents of those before it, or a fault that goes on would be what is normal.
   */
  async #inTurn(window: Window, before: Promise<unknown>, patienceMs: number): Promise<void> {
    // Patience begins when NATS is there.
    await this.#incidentsBefore(window);
    const done = new AbortController();
    const either = AbortSignal.any([done.signal, this.#stop.signal]);
    const late = this.#options.mesh.clock.sleep(patienceMs, either).catch(() => {});
    await Promise.race([before, late]);
    done.abort();
    await this.investigate(window, { id: windowId(window) });
  }

  /** The verdict of a window investigated before, by whichever SRE agent. */
  verdict(id: string): Promise<Verdict | undefined> {
    return this.#store.verdict(id);
  }

  get definition(): AgentDefinition {
    return {
      name: SRE,
      description:
        "Investigates a window: asks the evidence agents, ranks the root cause, raises alarms.",
      version: "1.0.0",
      skills: [
        {
          id: "investigate",
          name: "Investigate a window",
          description:
            "Takes a window and answers with a verdict: quiet, incident or inconclusive.",
          tags: ["sre", "root-cause"],
        },
        {
          id: INCIDENTS_SKILL,
          name: "Incidents",
          description:
            "Lists and shows incidents, takes a person's judgement of their cause, silences them, and " +
            "sends again what a sink never took.",
          tags: ["sre", "incidents"],
        },
      ],
      run: (turn) => this.#answer(turn),
    };
  }

  #answer(turn: Turn): Promise<TurnResult> {
    if (hasSchema(turn.data, CHANGE_SCHEMA)) return keepChange(turn, this.#options.mesh.name);
    if (hasSchema(turn.data, TOOL_USE_SCHEMA)) return keepToolUse(turn, this.#options.mesh.name);
    if (hasSchema(turn.data, INCIDENTS_SCHEMA)) return answerIncidents(turn, this.#asking());
    return this.#answerInvestigation(turn);
  }

  #asking(): RequestsOptions {
    const { mesh, maintenance } = this.#options;
    return {
      store: this.#incidents,
      desk: this.#desk,
      teller: this.#teller,
      maintenance,
      clock: mesh.clock,
      owner: mesh.instance,
      event: (incident, change, signal) => this.#event(incident, change, signal),
    };
  }

  async #answerInvestigation(turn: Turn): Promise<TurnResult> {
    const { investigation: id, window, baseline, query, alerted = false } = readRequest(turn.data);
    const { mesh, rules } = this.#options;
    const asked = toWindow(window);
    const verdict = await this.investigate(asked, {
      // Under the caller's name: nobody takes a window's own id, or another's.
      id: `${turn.caller}-${id}`.slice(0, 128),
      trace: turn.trace,
      timeoutMs: turn.deadlineMs - mesh.clock.nowMs() - ANSWER_MS,
      // Nobody is woken by a question about last week.
      asked: asked.endMs < mesh.clock.nowMs() - rules.reopenWithinMs ? "past" : "now",
      ...(baseline.length > 0 ? { baseline: baseline.map(toWindow) } : {}),
      ...(query ? { query } : {}),
      alerted,
    });
    if (!verdict) throw new PetrelError("CONFLICT", `investigation ${id} is there already`);
    await turn.artifact("verdict", verdict);
    return { kind: "completed", text: verdict.outcome };
  }
}

/** What a person rejected is how things are: its windows are normal, and it ends by itself. */
function isFault({ kind, isRejected }: Head): boolean {
  return kind === "fault" && isRejected !== true;
}

function lastingOf({ firstWindow, lastWindow }: Head): Window {
  return { startMs: Date.parse(firstWindow.start), endMs: Date.parse(lastWindow.end) };
}

function hasSchema(data: unknown, schema: string): boolean {
  return typeof data === "object" && data !== null && "schema" in data && data.schema === schema;
}
