/**
 * What the supervisor needs of the mesh: to ask a skill, and to see who is there. Small, so that it is
 * plain what a question can lead to: a fixed table of skills, and nothing that changes anything.
 */
import { SendMessageRequest, type StreamResponse, TaskState } from "@a2a-js/sdk";
import type { Mesh, Registered } from "../../a2a/mod.ts";
import { callParameters } from "../../a2a/mod.ts";
import { isRetryable, PetrelError, type TraceContext } from "../../core/mod.ts";

export interface SkillCall {
  readonly contextId: string;
  /** The same again is the same asking: nothing is done twice. */
  readonly messageId: string;
  /** By our clock, milliseconds since the epoch. */
  readonly deadlineMs: number;
  readonly trace: TraceContext;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface SkillAnswer {
  readonly state: "message" | "completed" | "failed" | "rejected" | "cancelled" | "waiting";
  readonly text: string;
  /** The data parts of its artifacts by name; of its last words under the name ``. Unchecked. */
  readonly data: ReadonlyMap<string, unknown>;
}

export interface SkillPort {
  /**
   * Asks any agent that has the skill, and hears it out. Throws NoSuchSkill's UNAVAILABLE where there is
   * none, DEADLINE_EXCEEDED, what the agent refused with, or the signal's reason.
   */
  ask(skill: string, data: unknown, call: SkillCall): Promise<SkillAnswer>;
  /** Live replicas of every agent. */
  agents(): Promise<readonly Registered[]>;
}

type Artifact = Extract<
  NonNullable<StreamResponse["payload"]>,
  { $case: "artifactUpdate" }
>["value"]["artifact"];
type Parts = NonNullable<Artifact>["parts"];

/** The mesh as a {@link SkillPort}. */
export function meshSkills(mesh: Mesh): SkillPort {
  return {
    agents: async () => {
      await mesh.registry.ready();
      return mesh.registry.list();
    },
    ask: async (skill, data, call) => {
      try {
        return await hearOut(mesh, skill, data, call);
      } catch (error) {
        call.signal.throwIfAborted();
        throw nobodyHas(error, skill) ?? error;
      }
    },
  };
}

/** Whether an error says that no live agent has the skill. */
export function isNoSuchSkill(error: unknown): boolean {
  return error instanceof PetrelError && error.fields["skill"] !== undefined;
}

/** Asks; a stream that is cut before its task is known is asked for again, which does nothing twice. */
async function hearOut(
  mesh: Mesh,
  skill: string,
  data: unknown,
  call: SkillCall,
): Promise<SkillAnswer> {
  const { contextId, messageId, deadlineMs, trace, signal } = call;
  const params = SendMessageRequest.fromJSON({
    message: {
      messageId,
      contextId,
      role: "ROLE_USER",
      metadata: { skillId: skill },
      parts: [{ data, mediaType: "application/json" }],
    },
  });
  for (let attempt = 1; ; attempt++) {
    const timeoutMs = deadlineMs - mesh.clock.nowMs();
    if (timeoutMs <= 0)
      throw new PetrelError("DEADLINE_EXCEEDED", `skill "${skill}" did not answer in time`);
    const serviceParameters = callParameters({ timeoutMs, trace });
    const heard = new Heard(mesh, call.onProgress);
    try {
      for await (const { payload } of mesh
        .skill(skill)
        .sendMessageStream(params, { serviceParameters, signal }))
        if (payload) await heard.take(payload);
      return heard.answer();
    } catch (error) {
      const isCut = error instanceof PetrelError && error.code === "INCOMPLETE";
      if (!isCut || attempt >= ATTEMPTS_MAX || !isRetryable(error)) throw error;
      await mesh.clock.sleep(AGAIN_MS * attempt, signal);
    }
  }
}

const ATTEMPTS_MAX = 3;
const AGAIN_MS = 200;
const ARTIFACTS_MAX = 20;

/** Folds the events of one answer. */
class Heard {
  readonly #mesh: Mesh;
  readonly #onProgress: (text: string) => void;
  readonly #data = new Map<string, unknown>();
  #state: TaskState | "message" = TaskState.TASK_STATE_UNSPECIFIED;
  #text = "";

  constructor(mesh: Mesh, onProgress: (text: string) => void) {
    this.#mesh = mesh;
    this.#onProgress = onProgress;
  }

  async take(payload: NonNullable<StreamResponse["payload"]>): Promise<void> {
    switch (payload.$case) {
      case "message":
        this.#state = "message";
        await this.#words(payload.value.parts);
        break;
      case "task":
        for (const artifact of payload.value.artifacts) await this.#artifact(artifact);
        await this.#status(payload.value.status);
        break;
      case "statusUpdate":
        await this.#status(payload.value.status);
        break;
      case "artifactUpdate":
        await this.#artifact(payload.value.artifact);
        break;
      default:
        payload satisfies never;
    }
  }

  answer(): SkillAnswer {
    const state = this.#state === "message" ? "message" : stateWord(this.#state);
    return { state, text: this.#text, data: this.#data };
  }

  async #status(
    status: { state: TaskState; message?: { parts: Parts } | undefined } | undefined,
  ): Promise<void> {
    if (!status) return;
    this.#state = status.state;
    await this.#words(status.message?.parts ?? []);
    if (status.state === TaskState.TASK_STATE_WORKING && this.#text !== "")
      this.#onProgress(this.#text);
  }

  async #words(parts: Parts): Promise<void> {
    const text = parts.find(({ content }) => content?.$case === "text")?.content;
    if (text?.$case === "text") this.#text = text.value;
    const data = parts.find(({ content }) => content?.$case === "data")?.content;
    // Of its last words alone.
    if (data?.$case === "data") this.#data.set("", data.value);
    else this.#data.delete("");
  }

  async #artifact(artifact: Artifact): Promise<void> {
    if (!artifact || this.#data.size >= ARTIFACTS_MAX) return;
    const [part] = artifact.parts;
    if (part?.content?.$case === "data") this.#data.set(artifact.name, part.content.value);
    // A large one lies in the object store.
    if (part?.content?.$case === "url") {
      const bytes = await this.#mesh.artifacts.get(part);
      this.#data.set(artifact.name, JSON.parse(Buffer.from(bytes).toString()));
    }
  }
}

function stateWord(state: TaskState): Exclude<SkillAnswer["state"], "message"> {
  if (state === TaskState.TASK_STATE_COMPLETED) return "completed";
  if (state === TaskState.TASK_STATE_REJECTED) return "rejected";
  if (state === TaskState.TASK_STATE_CANCELED) return "cancelled";
  return state === TaskState.TASK_STATE_FAILED ? "failed" : "waiting";
}

/** The transport names the skill where nobody was there to take a request. */
function nobodyHas(error: unknown, skill: string): PetrelError | undefined {
  const isAbsent =
    error instanceof PetrelError && error.code === "UNAVAILABLE" && error.fields["agent"] === skill;
  if (!isAbsent) return undefined;
  const message = `no agent in the mesh has the skill "${skill}"`;
  return new PetrelError("UNAVAILABLE", message, { skill }, error);
}
