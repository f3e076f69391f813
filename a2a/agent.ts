/**
 * What somebody writes to make an agent: a card's worth of words and one `run` function.
 * Everything else (subjects, tasks, streams, audit, cancellation) is the mesh's. A task outlives its
 * caller's patience: an agent that should stop at the deadline looks at it.
 */
import type { AgentCard, AgentSkill, Message } from "@a2a-js/sdk";
import { AgentCard as AgentCardCodec } from "@a2a-js/sdk";
import type { Logger, TraceContext } from "../core/mod.ts";
import { A2A_VERSION, cardSubject, NATS_BINDING, rpcSubject } from "./subjects.ts";

export interface SkillWords {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly examples?: readonly string[];
}

/** One turn of one task, as the agent's code sees it. */
export interface Turn {
  readonly taskId: string;
  readonly contextId: string;
  readonly message: Message;
  /** The first data part of the message, unchecked: the agent validates it. */
  readonly data: unknown;
  /** The first text part of the message. */
  readonly text: string;
  readonly caller: string;
  readonly trace: TraceContext;
  /** Milliseconds since the epoch after which nobody waits for the answer. */
  readonly deadlineMs: number;
  /** Aborts on CancelTask and on shutdown, and for a plain message at the deadline; a PetrelError. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Tells watchers how far the work is. Cheap; a slow watcher misses intermediate ones. */
  progress(text: string, data?: Record<string, unknown>): void;
  /** Adds an artifact with one data part. Throws TOO_LARGE above ARTIFACT_BYTES_MAX. */
  artifact(name: string, data: Record<string, unknown>): void;
}

/** How a turn ends: a message (no task is kept), or a task that completed or failed. */
export type TurnResult =
  | { readonly kind: "message"; readonly text: string; readonly data?: Record<string, unknown> }
  | { readonly kind: "completed"; readonly text: string }
  | { readonly kind: "failed"; readonly text: string };

export interface AgentDefinition {
  /** One subject token: the name others call it by. */
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly skills: readonly SkillWords[];
  /** True when every answer is a plain message: no task is created and nothing is stored. */
  readonly messageOnly?: boolean;
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
    capabilities: { streaming: true, pushNotifications: false, extendedAgentCard: false },
    defaultInputModes: ["application/json", "text/plain"],
    defaultOutputModes: ["application/json", "text/plain"],
    skills: agent.skills.map(skillOf),
  });
}

function skillOf(words: SkillWords): Partial<AgentSkill> {
  return { ...words, tags: [...words.tags], examples: [...(words.examples ?? [])] };
}

export { cardSubject };
