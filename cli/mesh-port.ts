/**
 * The mesh behind the MCP tools: agents from the registry, investigations and questions as tasks of the
 * caller's own, incidents from the SRE agent. Peers' answers are checked and cut to the tools' bounds.
 */
import type { Mesh } from "../a2a/mod.ts";
import {
  INCIDENTS_SCHEMA,
  INCIDENTS_SKILL,
  type IncidentsAnswer,
  type IncidentsAsked,
  readIncidentsAnswer,
} from "../agents/mod.ts";
import { meshSkills, type SkillAnswer } from "../agents/supervisor/mod.ts";
import { asPetrelError, messageOf, newId, newTrace, PetrelError } from "../core/mod.ts";
import type { MeshPort } from "../mcp/mod.ts";
import { askQuestion } from "./asking.ts";
import { CALL_MS, investigate, lookAt } from "./mesh/investigating.ts";
import { pendingWork } from "./mesh/pending.ts";
import { agentViews, askedView, incidentDetails, incidentView } from "./mesh/views.ts";

export interface MeshPortOptions {
  readonly mesh: Mesh;
  /** How long an investigation, or a question, may take. */
  readonly workMsMax: number;
}

/** The port over a mesh that the caller opened and closes. */
export function makeMeshPort({ mesh, workMsMax }: MeshPortOptions): MeshPort {
  const skills = meshSkills(mesh);
  const incidents = async (request: IncidentsAsked, signal: AbortSignal) => {
    const answer = await skills.ask(INCIDENTS_SKILL, request, {
      contextId: newId(),
      messageId: newId(),
      deadlineMs: mesh.clock.nowMs() + CALL_MS,
      trace: newTrace(),
      signal,
      onProgress: () => {},
    });
    return answered(answer);
  };
  return {
    agents: async () => agentViews(await skills.agents()),
    investigate: (wish, waitMs, signal) =>
      guarded("the SRE agent", signal, () =>
        investigate(mesh, wish, { waitMs, workMsMax, signal }),
      ),
    task: (agent, taskId, signal) =>
      guarded(`agent "${agent}"`, signal, () => lookAt(mesh, agent, taskId, signal)),
    incidents: ({ states, service, limit }, signal) =>
      guarded("the SRE agent", signal, async () => {
        const answer = await incidents(
          {
            schema: INCIDENTS_SCHEMA,
            action: "list",
            limit,
            ...(states.length > 0 ? { states: [...states] } : {}),
            ...(service === undefined ? {} : { service }),
          },
          signal,
        );
        if (answer.kind !== "incidents") throw notAsked();
        return { incidents: answer.incidents.map(incidentView), isCut: answer.isCut };
      }),
    incident: (incident, signal) =>
      guarded("the SRE agent", signal, async () => {
        const answer = await incidents(
          { schema: INCIDENTS_SCHEMA, action: "show", incident },
          signal,
        );
        if (answer.kind !== "incident") throw notAsked();
        return incidentDetails(answer.incident);
      }),
    pending: (signal) => pendingWork(mesh, incidents, signal),
    ask: (text, taskId, waitMs, signal) =>
      guarded("the supervisor", signal, async () =>
        askedView(await askQuestion(mesh, { text, taskId, timeoutMs: workMsMax, waitMs, signal })),
      ),
  };
}

/** What the SDK throws is none of our errors; the tools answer with ours alone. */
async function guarded<T>(who: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw asPetrelError(error, "QUERY_REFUSED", who);
  }
}

function answered({ state, text, data }: SkillAnswer): IncidentsAnswer {
  if (state === "message" || state === "completed") return readIncidentsAnswer(data.get(""));
  throw new PetrelError("QUERY_REFUSED", `the SRE agent: ${messageOf(text)}`);
}

function notAsked(): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", "the SRE agent answered something else");
}
