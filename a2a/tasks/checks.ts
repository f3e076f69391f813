/** What a request must be before a task hears of it; each refusal is the error A2A names for it. */
import type { Message, SendMessageRequest, Task } from "@a2a-js/sdk";
import {
  ContentTypeNotSupportedError,
  RequestMalformedError,
  UnsupportedOperationError,
} from "@a2a-js/sdk/errors";
import { PetrelError } from "../../core/mod.ts";
import { type AgentDefinition, inputModesOf } from "../agent.ts";
import type { CallInfo } from "../call.ts";
import { isTerminal } from "./fold.ts";

const ID_CHARS_MAX = 512;
/** In a message's metadata: which skill it is for. */
export const SKILL_KEY = "skillId";

/** The message of a request. Throws RequestMalformedError or ContentTypeNotSupportedError. */
export function checkedMessage({ message }: SendMessageRequest, agent: AgentDefinition): Message {
  if (!message) throw new RequestMalformedError("params.message is missing");
  if (!message.messageId) throw new RequestMalformedError("params.message.messageId is missing");
  if (message.parts.length === 0) throw new RequestMalformedError("params.message.parts is empty");
  for (const field of ["messageId", "contextId", "taskId"] as const) {
    if (message[field].length > ID_CHARS_MAX) {
      throw new RequestMalformedError(
        `params.message.${field}: more than ${ID_CHARS_MAX} characters`,
      );
    }
  }
  const modes = inputModesOf(agent);
  for (const [at, { mediaType, content }] of message.parts.entries()) {
    if (!content) throw new RequestMalformedError(`params.message.parts[${at}] has no content`);
    if (mediaType && !accepts(modes, mediaType)) {
      throw new ContentTypeNotSupportedError(
        `params.message.parts[${at}].mediaType: "${mediaType.slice(0, 100)}" is none of ${modes.join(", ")}`,
      );
    }
  }
  return message;
}

/** Parameters of a media type do not matter; `*` in a mode matches anything in its place. */
function accepts(modes: readonly string[], mediaType: string): boolean {
  const [type = ""] = mediaType.toLowerCase().split(";");
  const [family] = type.trim().split("/");
  return modes.some((mode) => mode === type.trim() || mode === `${family}/*` || mode === "*/*");
}

/** Whether a message may take a task up again. Throws RequestMalformedError or UnsupportedOperationError. */
export function checkContinues(task: Task, message: Message): void {
  if (message.contextId && message.contextId !== task.contextId) {
    throw new RequestMalformedError("params.message.contextId is not the task's");
  }
  if (isTerminal(task)) {
    throw new UnsupportedOperationError(`Task ${task.id} has ended and takes no more messages`);
  }
}

/**
 * Whether a principal may ask for what the message asks. Without a skill named it may be any, so all their
 * scopes are needed. Throws FORBIDDEN naming the scopes that are missing.
 */
export function checkScopes(message: Message, call: CallInfo, agent: AgentDefinition): void {
  if (call.scopes === undefined) return;
  const named = message.metadata?.[SKILL_KEY];
  const asked = agent.skills.filter(({ id }) => named === undefined || id === named);
  const skills = asked.length > 0 ? asked : agent.skills;
  const missing = new Set(
    skills.flatMap(({ scopes }) => scopes ?? []).filter((scope) => !call.scopes?.includes(scope)),
  );
  if (missing.size === 0) return;
  throw new PetrelError("FORBIDDEN", `missing scope: ${[...missing].join(" ")}`, {
    scopes: [...missing].join(" "),
  });
}
