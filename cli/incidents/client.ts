/**
 * The SRE agent, asked about incidents over A2A as `cli`. What it answers is checked before anybody sees
 * it, and what it says in words is one line without control characters. Nothing here decides or prints.
 */
import { type Message, SendMessageRequest, type Task, TaskState } from "@a2a-js/sdk";
import { callParameters, type Mesh } from "../../a2a/mod.ts";
import {
  INCIDENTS_SKILL,
  type IncidentsAnswer,
  IncidentsRequest,
  readIncidentsAnswer,
} from "../../agents/mod.ts";
import {
  asPetrelError,
  type Config,
  messageOf,
  newId,
  newTrace,
  PetrelError,
  silentLogger,
} from "../../core/mod.ts";
import { oneLine } from "../render/text.ts";
import { openMesh } from "../wire.ts";

const AGENT = "sre";
const ANSWER_MS_MAX = 15_000;
/** Sinks are waited for. */
const REDELIVER_MS_MAX = 60_000;
const WORDS_CHARS_MAX = 600;
/** docs/binding-nats.md: for whom a caller asks. */
const ON_BEHALF = "a2a-on-behalf";
const PRINCIPAL = /^[A-Za-z0-9._:@-]{1,128}$/;

/** The agent understood, and does not do it: no such incident, a silence that is over. */
export interface Refusal {
  readonly kind: "refused";
  /** One line, safe to print. */
  readonly text: string;
}

/** A connection to the agent. `as` is the person's name, told where it can be one. */
export class SreClient {
  readonly #mesh: Mesh;
  readonly #person: string | undefined;

  private constructor(mesh: Mesh, person: string | undefined) {
    this.#mesh = mesh;
    this.#person = person;
  }

  /** Joins the mesh. Throws as Mesh.open. */
  static async open(config: Config, person = process.env.USER ?? ""): Promise<SreClient> {
    const mesh = await openMesh(config, "cli", silentLogger);
    return new SreClient(mesh, PRINCIPAL.test(person) ? person : undefined);
  }

  /**
   * Sends one request and reads its answer. Throws UNAVAILABLE where no SRE agent is in the mesh or it
   * failed, PROTOCOL_VIOLATION for an answer that is none, and what the agent threw.
   */
  async ask(request: IncidentsRequest, signal: AbortSignal): Promise<IncidentsAnswer | Refusal> {
    const answer = await this.#send(request, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw asTold(error);
    });
    if ("messageId" in answer) return readAnswer(answer);
    const { state, message } = answer.status ?? {};
    if (state === TaskState.TASK_STATE_COMPLETED) return readAnswer(message);
    const text = wordsOf(answer);
    if (state === TaskState.TASK_STATE_REJECTED) return { kind: "refused", text };
    throw new PetrelError("UNAVAILABLE", `the SRE agent did not do it: ${text}`, { agent: AGENT });
  }

  close(): Promise<void> {
    return this.#mesh.close();
  }

  #send(request: IncidentsRequest, signal: AbortSignal): Promise<Message | Task> {
    const params = SendMessageRequest.fromJSON({
      message: {
        messageId: newId(),
        role: "ROLE_USER",
        parts: [{ data: request, mediaType: "application/json" }],
        metadata: { skillId: INCIDENTS_SKILL },
      },
    });
    const timeoutMs = request.action === "redeliver" ? REDELIVER_MS_MAX : ANSWER_MS_MAX;
    const serviceParameters = {
      ...callParameters({ timeoutMs, trace: newTrace() }),
      ...(this.#person === undefined ? {} : { [ON_BEHALF]: this.#person }),
    };
    return this.#mesh.transport(AGENT).sendMessage(params, { serviceParameters, signal });
  }
}

/** Checks a request before it is sent. Throws USAGE naming the option by `names`. */
export function checkedRequest(
  asked: unknown,
  names: Readonly<Record<string, string>> = {},
): IncidentsRequest {
  const parsed = IncidentsRequest.safeParse(asked);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = String(issue?.path[0] ?? "request");
  const message = `${names[field] ?? `--${field}`}: ${issue?.message ?? "malformed"}`;
  throw new PetrelError("USAGE", oneLine(message, WORDS_CHARS_MAX), { path: field });
}

function readAnswer(message: Message | undefined): IncidentsAnswer {
  const part = message?.parts.find(({ content }) => content?.$case === "data");
  try {
    return readIncidentsAnswer(part?.content?.value);
  } catch (error) {
    const { code } = asPetrelError(error, "PROTOCOL_VIOLATION", "answer");
    const words = oneLine(messageOf(error), WORDS_CHARS_MAX);
    throw new PetrelError(code, `the SRE agent's answer cannot be read: ${words}`, {}, error);
  }
}

function wordsOf({ status }: Task): string {
  const parts = status?.message?.parts ?? [];
  const texts = parts.flatMap(({ content }) => (content?.$case === "text" ? [content.value] : []));
  return oneLine(texts.join(" "), WORDS_CHARS_MAX) || "it gave no reason";
}

/** What went wrong with a call, in words that are safe to print. */
function asTold(error: unknown): PetrelError {
  const ours = asPetrelError(error, "QUERY_REFUSED", "the SRE agent");
  const isAway = ours.code === "UNAVAILABLE" && ours.fields.agent === AGENT;
  const words = isAway
    ? "no SRE agent is in the mesh; start one with: petrel up --role sre"
    : oneLine(ours.message, WORDS_CHARS_MAX);
  return new PetrelError(ours.code, words, ours.fields, error);
}
