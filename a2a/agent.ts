/**
 * What somebody writes to make an agent: a card's worth of words and one `run` function.
 * Everything else (subjects, tasks, streams, audit, cancellation) is the mesh's. A task outlives its
 * caller's patience: an agent that should stop at the deadline looks at it.
 */
import type { AgentCard, AgentSkill, Message, Task } from "@a2a-js/sdk";
import { AgentCard as AgentCardCodec } from "@a2a-js/sdk";
import type { Logger, TraceContext } from "../core/mod.ts";
import { A2A_VERSION, cardSubject, NATS_BINDING, rpcSubject } from "./subjects.ts";

export interface SkillWords {
  /** One subject token, where requests to the skill shall reach any agent that has it. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly examples?: readonly string[];
  /** OAuth scopes a principal needs who comes through a gateway; none by default. */
  readonly scopes?: readonly string[];
}

export type Part = Message["parts"][number];

/** One turn of one task, as the agent's code sees it. */
export interface Turn {
  readonly taskId: string;
  readonly contextId: string;
  readonly message: Message;
  /** The first data part of the message, unchecked: the agent validates it. */
  readonly data: unknown;
  /** The first text part of the message. */
  readonly text: string;
  /** The task as earlier turns left it; undefined on the first. */
  readonly task: Task | undefined;
  /** True where a replica died in this turn and this is another attempt. */
  readonly isRestart: boolean;
  readonly caller: string;
  /** For whom the caller asks, where it said so. */
  readonly onBehalf: string | undefined;
  readonly trace: TraceContext;
  /** Milliseconds since the epoch after which nobody waits for the answer. */
  readonly deadlineMs: number;
  /** Aborts on CancelTask and on shutdown, and for a plain message at the deadline; a PetrelError. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Tells watchers how far the work is. Cheap; where the log does not keep up, some are left out. */
  progress(text: string, data?: Record<string, unknown>): void;
  /** Adds an artifact of one data part. A large one goes to the object store. */
  artifact(name: string, data: Record<string, unknown>): Promise<void>;
  /** Adds an artifact of parts. A large one goes to the object store. */
  attach(name: string, parts: readonly Part[]): Promise<void>;
  /** Adds a part to an artifact that grows; resolves when there is room for the next. */
  chunk(name: string, part: Part, options?: { readonly last?: boolean }): Promise<void>;
}

/**
 * How a turn ends: a message in place of a task (only before anything was told of the task); a task that
 * has ended; or one that waits for its caller, whose next message to it is the next turn.
 */
export type TurnResult =
  | { readonly kind: "message"; readonly text: string; readonly data?: Record<string, unknown> }
  | {
      readonly kind: "completed" | "failed" | "rejected" | "input-required" | "auth-required";
      readonly text: string;
      readonly data?: Record<string, unknown>;
    };

export interface AgentDefinition {
  /** One subject token: the name others call it by. */
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly skills: readonly SkillWords[];
  /** True when every answer is a plain message: no task is created and nothing is stored. */
  readonly messageOnly?: boolean;
  /**
   * True when doing a turn twice harms nobody. Then a task whose replica died is run again by another;
   * else it fails. And the work need not wait until its beginning is stored.
   */
  readonly repeatable?: boolean;
  /** Media types of parts it takes; default JSON and plain text. */
  readonly inputModes?: readonly string[];
  readonly outputModes?: readonly string[];
  /** What authenticated callers see beyond the card: more skills, another description. */
  readonly extended?: { readonly description?: string; readonly skills: readonly SkillWords[] };
  run(turn: Turn): Promise<TurnResult>;
}

/** The card of an agent reached over NATS at `servers` (A2A 1.0 section 8). */
export function cardOf(agent: AgentDefinition, server: string): AgentCard {
  const base = rpcSubject(agent.name, "caller", "SendMessage").split(".").slice(0, 4).join(".");
  return AgentCardCodec.fromJSON({
    name: agent.name,
    description: agent.description,
    version: agent.version,
    supportedInterfaces: [
      {
        url: `${server.replace(/\/$/, "")}/${base}`,
        protocolBinding: NATS_BINDING,
        protocolVersion: A2A_VERSION,
      },
    ],
    capabilities: {
      streaming: true,
      pushNotifications: agent.messageOnly !== true,
      extendedAgentCard: agent.extended !== undefined,
      extensions: [CURSOR_WORDS],
    },
    defaultInputModes: inputModesOf(agent),
    defaultOutputModes: [...(agent.outputModes ?? DEFAULT_MODES)],
    skills: agent.skills.map(skillOf),
    ...(agent.skills.some(({ scopes = [] }) => scopes.length > 0)
      ? { securitySchemes: { [BEARER_SCHEME]: BEARER } }
      : {}),
  });
}

/** The card for callers who are known (A2A 1.0 section 3.1.11); undefined where there is none. */
export function extendedCardOf(agent: AgentDefinition, card: AgentCard): AgentCard | undefined {
  const { extended } = agent;
  if (!extended) return undefined;
  const skills = [...agent.skills, ...extended.skills].map(skillOf);
  const { skills: more } = AgentCardCodec.fromJSON({ skills });
  return {
    ...card,
    description: extended.description ?? card.description,
    skills: more,
    signatures: [],
  };
}

export function inputModesOf(agent: AgentDefinition): string[] {
  return [...(agent.inputModes ?? DEFAULT_MODES)];
}

/** The security scheme's name in cards, where a skill needs scopes or a gateway asks for tokens. */
export const BEARER_SCHEME = "bearer";
export const BEARER = {
  httpAuthSecurityScheme: { scheme: "Bearer", bearerFormat: "JWT" },
} as const;
const DEFAULT_MODES = ["application/json", "text/plain"];

/** SubscribeToTask from where a subscriber was (docs/binding-nats.md). */
export const CURSOR_EXTENSION = "urn:petrel:a2a:extension:cursor:v1";
const CURSOR_WORDS = {
  uri: CURSOR_EXTENSION,
  description: "Events bear numbers; SubscribeToTask goes on behind the one a client has seen.",
  required: false,
};

function skillOf(words: SkillWords): Partial<AgentSkill> {
  const { id, name, description, scopes = [] } = words;
  return {
    id,
    name,
    description,
    tags: [...words.tags],
    examples: [...(words.examples ?? [])],
    ...requirementsOf(scopes),
  };
}

/** What a token has to allow, for whoever comes through a gateway (A2A 1.0 section 4.5). */
function requirementsOf(scopes: readonly string[]) {
  if (scopes.length === 0) return {};
  return { securityRequirements: [{ schemes: { [BEARER_SCHEME]: { list: [...scopes] } } }] };
}

export { cardSubject };
