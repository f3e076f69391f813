/**
 * The SRE agent as a whole: coordinator, supervisor, schedule, and its own card, so that others may ask
 * it for an investigation. create → start → stop; cli/ and the tests use the same three.
 */
import type { KV } from "@nats-io/kv";
import type { AgentDefinition, Mesh, Turn, TurnResult } from "../../a2a/mod.ts";
import { type Logger, newId, PetrelError, type Window, windowId } from "../../core/mod.ts";
import type { Dependency } from "../../streams/mod.ts";
import { readRequest, toWindow } from "../protocol.ts";
import { ReplyDesk } from "../replies.ts";
import { Coordinator, type Opening } from "./coordinator.ts";
import type { SreEvent } from "./events.ts";
import { Explainer, type Llm } from "./explainer.ts";
import { type AlarmSink, Alarms } from "./incidents.ts";
import type { Verdict } from "./records.ts";
import { type ScheduleOptions, windowsAsTheyEnd, windowsBefore } from "./schedule.ts";
import { alarmJson } from "./sinks.ts";
import { InvestigationStore } from "./store.ts";
import { supervise } from "./supervisor.ts";

export interface SreAgentOptions {
  readonly mesh: Mesh;
  readonly kv: KV;
  readonly log: Logger;
  readonly sources: readonly string[];
  readonly timeoutMs: number;
  readonly baselineWindows: number;
  readonly inFlightMax: number;
  readonly superviseEveryMs: number;
  readonly reopenAfterMs: number;
  /** Who calls whom by configuration. */
  readonly dependencies?: readonly Pick<Dependency, "caller" | "callee">[];
  readonly sinks: readonly AlarmSink[];
  readonly llm?: Llm;
  readonly llmTokensMax: number;
  readonly redact: (text: string) => string;
  readonly onEvent?: (event: SreEvent) => void;
}

/** What may differ from the agent's own settings; `id` names the investigation, once. */
export type InvestigateOptions = Partial<Omit<Opening, "window">>;

const OWNERS_MAX = 5;
/** Kept back of a caller's patience, to answer within it. */
const ANSWER_MS = 500;

export class SreAgent {
  readonly #options: SreAgentOptions;
  readonly #desk: ReplyDesk;
  readonly #store: InvestigationStore;
  readonly #coordinator: Coordinator;
  readonly #stop = new AbortController();
  #supervised: Promise<void> = Promise.resolve();

  constructor(options: SreAgentOptions) {
    this.#options = options;
    const { mesh, kv, log, sinks, llm, redact } = options;
    this.#desk = new ReplyDesk(kv, log);
    this.#store = new InvestigationStore(kv, log);
    const alarms = new Alarms({
      store: this.#store,
      sinks,
      record: (alarm) => mesh.reportAlarm(alarm.id, JSON.stringify(alarmJson(alarm))),
      clock: mesh.clock,
      log,
      reopenAfterMs: options.reopenAfterMs,
    });
    this.#coordinator = new Coordinator({
      mesh,
      store: this.#store,
      desk: this.#desk,
      explainer: new Explainer({
        log,
        redact,
        maxTokens: options.llmTokensMax,
        ...(llm ? { llm } : {}),
      }),
      alarms,
      log,
      sources: options.sources,
      dependencies: options.dependencies ?? [],
      timeoutMs: options.timeoutMs,
      inFlightMax: options.inFlightMax,
      ownersMax: OWNERS_MAX,
      onEvent: options.onEvent ?? (() => {}),
    });
  }

  /** Begins to listen for replies and to look after orphans. Serve {@link definition} beside it. */
  async start(): Promise<void> {
    const { mesh, log, superviseEveryMs } = this.#options;
    await this.#desk.start();
    this.#supervised = supervise(
      {
        coordinator: this.#coordinator,
        store: this.#store,
        registry: mesh.registry,
        instance: mesh.instance,
        clock: mesh.clock,
        log,
        everyMs: superviseEveryMs,
      },
      this.#stop.signal,
    );
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#coordinator.stop();
    await this.#supervised;
    this.#desk.stop();
  }

  /** Investigates one window now. Undefined when the id is taken: somebody investigates it already. */
  investigate(window: Window, options: InvestigateOptions = {}): Promise<Verdict | undefined> {
    const { baseline, ...rest } = options;
    return this.#coordinator.investigate({
      id: `${windowId(window)}-${newId().slice(-12)}`,
      ...rest,
      window,
      baseline: baseline ?? windowsBefore(window, this.#options.baselineWindows),
    });
  }

  /** Investigates windows as they end, until `signal` aborts. A slow window does not delay the next. */
  async watch(
    schedule: Omit<ScheduleOptions, "clock" | "log">,
    signal: AbortSignal,
  ): Promise<void> {
    const { mesh, log } = this.#options;
    for await (const window of windowsAsTheyEnd({ clock: mesh.clock, log, ...schedule }, signal)) {
      this.investigate(window, { id: windowId(window) }).catch((error: unknown) => {
        if (!signal.aborted) log.error("window.failed", { windowId: windowId(window), error });
      });
    }
  }

  /** The verdict of a window investigated before, by whichever SRE agent. */
  verdict(id: string): Promise<Verdict | undefined> {
    return this.#store.verdict(id);
  }

  get definition(): AgentDefinition {
    return {
      name: "sre",
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
      ],
      run: (turn) => this.#answer(turn),
    };
  }

  async #answer(turn: Turn): Promise<TurnResult> {
    const { investigation: id, window, baseline, query, alerted = false } = readRequest(turn.data);
    const verdict = await this.investigate(toWindow(window), {
      // Under the caller's name: nobody takes a window's own id, or another's.
      id: `${turn.caller}-${id}`.slice(0, 128),
      trace: turn.trace,
      timeoutMs: turn.deadlineMs - this.#options.mesh.clock.nowMs() - ANSWER_MS,
      ...(baseline.length > 0 ? { baseline: baseline.map(toWindow) } : {}),
      ...(query ? { query } : {}),
      alerted,
    });
    if (!verdict) throw new PetrelError("CONFLICT", `investigation ${id} is there already`);
    await turn.artifact("verdict", verdict);
    return { kind: "completed", text: verdict.outcome };
  }
}
