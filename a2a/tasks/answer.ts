/** An agent that answers with plain messages: it runs, and nothing of it is kept. */
import type { Message } from "@a2a-js/sdk";
import { type Clock, type Logger, newId, PetrelError, unlessAborted } from "../../core/mod.ts";
import type { AgentDefinition } from "../agent.ts";
import type { CallInfo } from "../call.ts";
import { toA2AError } from "../errors.ts";
import { agentMessage, dataPart, firstData, firstText, textPart } from "./parts.ts";

export interface AnswerOptions {
  readonly agent: AgentDefinition;
  readonly message: Message;
  readonly call: CallInfo;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when the agent stops. */
  readonly stopping: AbortSignal;
}

/**
 * Throws what the agent's code throws, as an A2AError. Code that ignores its signal is not waited for
 * beyond the call's deadline.
 */
export async function answerWithMessage(options: AnswerOptions): Promise<Message> {
  const { agent, message, call, clock, log, stopping } = options;
  const ids = { taskId: "", contextId: message.contextId || newId() };
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new PetrelError("DEADLINE_EXCEEDED", "nobody waits any more")),
    Math.max(0, call.deadlineMs - clock.nowMs()),
  );
  const onStop = () => late.abort(new PetrelError("UNAVAILABLE", "the agent is shutting down"));
  stopping.addEventListener("abort", onStop, { once: true });
  const untold = async (): Promise<never> => {
    throw new PetrelError("INTERNAL", "an agent that answers with messages has no artifacts");
  };
  try {
    const running = agent.run({
      ...ids,
      message,
      data: firstData(message),
      text: firstText(message),
      task: undefined,
      isRestart: false,
      caller: call.caller,
      onBehalf: call.onBehalf,
      trace: call.trace,
      deadlineMs: call.deadlineMs,
      signal: late.signal,
      log,
      progress: () => {},
      artifact: untold,
      attach: untold,
      chunk: untold,
    });
    const result = await unlessAborted(running, late.signal);
    if (result.kind === "failed") throw new PetrelError("INTERNAL", result.text);
    return agentMessage(ids, [
      textPart(result.text),
      ...(result.data ? [dataPart(result.data)] : []),
    ]);
  } catch (error) {
    throw toA2AError(error);
  } finally {
    clearTimeout(timer);
    stopping.removeEventListener("abort", onStop);
  }
}
