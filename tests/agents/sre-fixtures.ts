/** SRE and evidence agents over a real NATS, for tests of what they do when something goes away. */
import type { KV } from "@nats-io/kv";
import type { AgentDefinition, Mesh, Turn } from "../../a2a/mod.ts";
import { makeEvidenceAgent } from "../../agents/evidence.ts";
import {
  INCIDENTS_BUCKET,
  INVESTIGATIONS_BUCKET,
  type LifeRules,
  PlainWords,
  type SreAgentOptions,
  type SreEvent,
} from "../../agents/mod.ts";
import { ReplyDesk } from "../../agents/replies.ts";
import { Coordinator } from "../../agents/sre/coordinator.ts";
import type { InvestigationRecord } from "../../agents/sre/records.ts";
import { InvestigationStore } from "../../agents/sre/store.ts";
import {
  formatTraceparent,
  type Logger,
  newId,
  newTrace,
  silentLogger,
  type Window,
} from "../../core/mod.ts";
import type { SourceReport } from "../../streams/mod.ts";
import { MINUTE_MS, report, START_MS, windowAt } from "./verdict-fixtures.ts";

export const SOURCE = "splunk";
export const WINDOW: Window = { startMs: START_MS, endMs: START_MS + 5 * MINUTE_MS };

export function investigationsOf(mesh: Mesh): Promise<KV> {
  return mesh.kvm.create(INVESTIGATIONS_BUCKET, { history: 1 });
}

export const RULES: LifeRules = {
  afterWindows: 1,
  resolveAfterWindows: 3,
  reopenWithinMs: 120 * MINUTE_MS,
  updateEveryMs: 15 * MINUTE_MS,
  remindEveryMs: 24 * 60 * MINUTE_MS,
  flapChanges: 4,
  flapWithinMs: 120 * MINUTE_MS,
};

/** What an SRE agent needs for its incidents; nobody is told, and no model is asked. */
export async function incidentSettings(
  mesh: Mesh,
): Promise<
  Pick<SreAgentOptions, "incidentsKv" | "rules" | "maintenance" | "retryForMs" | "explainer">
> {
  return {
    incidentsKv: await mesh.kvm.create(INCIDENTS_BUCKET, { history: 1 }),
    rules: RULES,
    maintenance: [],
    retryForMs: MINUTE_MS,
    explainer: PlainWords,
  };
}

/** An evidence agent that finds what `look` finds; by default a quiet window. */
export function evidenceAgent(
  kv: KV,
  mesh: Mesh,
  look: (turn: Turn) => Promise<SourceReport> = async () => report([]),
): AgentDefinition {
  const skill = { id: "look", name: "Look", description: "Looks at a window.", tags: ["test"] };
  return makeEvidenceAgent({
    name: SOURCE,
    description: "Finds what the test says.",
    skill,
    kv,
    clock: mesh.clock,
    look: (_request, turn) => look(turn),
  });
}

export interface Coordinating {
  readonly coordinator: Coordinator;
  readonly store: InvestigationStore;
  readonly desk: ReplyDesk;
  readonly events: readonly SreEvent[];
  stop(): Promise<void>;
}

/** A coordinator that asks {@link SOURCE}; `ownersMax` is 5. */
export async function startCoordinator(
  mesh: Mesh,
  kv: KV,
  log: Logger = silentLogger,
): Promise<Coordinating> {
  const store = new InvestigationStore(kv, log);
  const desk = new ReplyDesk(kv, log);
  const events: SreEvent[] = [];
  await desk.start();
  const coordinator = new Coordinator({
    mesh,
    store,
    desk,
    incidents: {
      take: async () => {
        const done = Promise.resolve();
        return { incidents: [], changes: [], recorded: done, told: done };
      },
    },
    log,
    sources: [SOURCE],
    dependencies: [],
    timeoutMs: 60_000,
    inFlightMax: 4,
    ownersMax: 5,
    onEvent: (event) => void events.push(event),
  });
  const stop = async () => {
    await coordinator.stop();
    desk.stop();
  };
  return { coordinator, store, desk, events, stop };
}

/** An investigation that the process `dead` left behind. */
export function orphan(more: Partial<InvestigationRecord> = {}): InvestigationRecord {
  return {
    id: newId(),
    window: windowAt(),
    baseline: [],
    sources: [{ agent: SOURCE, messageId: newId() }],
    timeoutMs: 60_000,
    state: "open",
    owner: "dead",
    owners: 1,
    traceparent: formatTraceparent(newTrace()),
    openedAt: new Date(START_MS).toISOString(),
    ...more,
  };
}
