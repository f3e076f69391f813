/**
 * An SRE agent that knows of incidents what a test says, and answers about them as
 * agents/incidents/protocol.ts has it. It investigates nothing and keeps nothing.
 */
import type { AgentDefinition, Turn, TurnResult } from "../../a2a/mod.ts";
import {
  INCIDENTS_SKILL,
  type Incident,
  IncidentSummary,
  type IncidentsAnswer,
  type IncidentsRequest,
  readIncidentsRequest,
  type Silence,
} from "../../agents/mod.ts";
import { messageOf, newId, PetrelError } from "../../core/mod.ts";

export interface Known {
  incidents: Incident[];
  silences: Silence[];
  readonly maintenance: string[];
  /** What a silence holds back. */
  matching?: number;
  /** Why sinks still refuse. */
  refusals?: Readonly<Record<string, string>>;
}

/** Answers from `known`, and changes it. `now` is every moment it writes down. */
export function incidentsAgent(known: Known, now = "2026-11-30T04:00:00.000Z"): AgentDefinition {
  return {
    name: "sre",
    description: "Knows of incidents.",
    version: "1.0.0",
    skills: [
      { id: INCIDENTS_SKILL, name: "Incidents", description: "Tells of them.", tags: ["sre"] },
    ],
    run: async (turn) => answer(known, now, turn),
  };
}

/** One that answers with `data`, whatever it is asked. */
export function answeringWith(data: Record<string, unknown>): AgentDefinition {
  return {
    ...incidentsAgent({ incidents: [], silences: [], maintenance: [] }),
    run: async () => ({ kind: "message", text: "here", data }),
  };
}

function answer(known: Known, now: string, turn: Turn): TurnResult {
  try {
    const by = turn.onBehalf ?? turn.caller;
    const data = answerTo(known, readIncidentsRequest(turn.data), { now, by });
    return { kind: "completed", text: data.kind, data };
  } catch (error) {
    return { kind: "rejected", text: messageOf(error) };
  }
}

interface Asking {
  readonly now: string;
  readonly by: string;
}

function answerTo(known: Known, request: IncidentsRequest, { now, by }: Asking): IncidentsAnswer {
  switch (request.action) {
    case "list": {
      const { states, service, isDead, limit } = request;
      const found = known.incidents.filter(
        (one) =>
          (states ?? [one.state]).includes(one.state) &&
          (service === undefined || one.services.includes(service)) &&
          (isDead === undefined || deadIn(one).length > 0),
      );
      const newest = found.toSorted((one, other) => (one.openedAt < other.openedAt ? 1 : -1));
      const incidents = newest.slice(0, limit).map(summaryOf);
      return { kind: "incidents", incidents, isCut: found.length > limit };
    }
    case "show":
      return { kind: "incident", incident: find(known.incidents, request.incident) };
    case "confirm":
    case "reject": {
      const incident = find(known.incidents, request.incident);
      const cause = request.cause ?? `${incident.service}: ${incident.mechanism}`;
      const { note } = request;
      const judged = { isConfirmed: request.action === "confirm", by, at: now, cause };
      incident.judgement = { ...judged, ...(note === undefined ? {} : { note }) };
      return { kind: "incident", incident };
    }
    case "silence": {
      const { matchers, from = now, until, comment } = request;
      const silence = { id: newId(), matchers, from, until, comment, by };
      known.silences.push(silence);
      return { kind: "silence", silence, matching: known.matching ?? 0 };
    }
    case "unsilence": {
      const left = known.silences.filter(({ id }) => id !== request.silence);
      if (left.length === known.silences.length)
        throw new PetrelError("USAGE", `there is no silence "${request.silence}"`);
      known.silences = left;
      return { kind: "silences", silences: left, maintenance: known.maintenance };
    }
    case "silences":
      return { kind: "silences", silences: known.silences, maintenance: known.maintenance };
    case "redeliver": {
      const incident = find(known.incidents, request.incident);
      const { refusals = {} } = known;
      const outcomes = deadIn(incident)
        .filter(({ sink }) => request.sink === undefined || sink === request.sink)
        .map(({ seq, sink }) => {
          const reason = refusals[sink];
          return reason === undefined
            ? { seq, sink, state: "delivered" as const }
            : { seq, sink, state: "dead" as const, reason };
        });
      return { kind: "redelivered", incident: incident.id, outcomes, isCut: false };
    }
    default:
      request satisfies never;
      throw new PetrelError("INTERNAL", "an action that nobody knows");
  }
}

function find(all: readonly Incident[], ref: string): Incident {
  const found = all.filter(({ id }) => id.startsWith(ref));
  const [only] = found;
  if (only === undefined) throw new PetrelError("USAGE", `there is no incident "${ref}"`);
  if (found.length === 1) return only;
  throw new PetrelError("USAGE", `"${ref}" begins ${found.length} incidents`);
}

function deadIn({ timeline }: Incident) {
  return timeline.flatMap(({ seq, deliveries }) =>
    Object.keys(deliveries)
      .filter((sink) => deliveries[sink] === "dead")
      .map((sink) => ({ seq, sink })),
  );
}

function summaryOf(incident: Incident): IncidentSummary {
  const names = Object.keys(IncidentSummary.shape);
  const dead = [...new Set(deadIn(incident).map(({ sink }) => sink))];
  return IncidentSummary.parse({
    ...Object.fromEntries(Object.entries(incident).filter(([name]) => names.includes(name))),
    ...(dead.length > 0 ? { dead } : {}),
  });
}
