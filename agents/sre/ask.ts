/**
 * Asks one agent for evidence and waits for its reply to this request and no other. Progress comes over
 * the A2A stream, the answer through KV; a stream that is cut goes on, and a task that ended
 * without a reply is asked for again, until the time is up.
 */
import { SendMessageRequest, type StreamResponse, TaskState } from "@a2a-js/sdk";
import type { Transport } from "@a2a-js/sdk/client";
import { callParameters } from "../../a2a/mod.ts";
import {
  asPetrelError,
  type Clock,
  isRetryable,
  type Logger,
  limits,
  PetrelError,
  type TraceContext,
} from "../../core/mod.ts";
import { type InvestigateRequest, type Reply } from "../protocol.ts";
import { type ReplyDesk, replyKey } from "../replies.ts";

export interface AskOptions {
  readonly transport: Transport;
  readonly desk: ReplyDesk;
  readonly clock: Clock;
  readonly log: Logger;
  readonly agent: string;
  readonly messageId: string;
  readonly request: InvestigateRequest;
  readonly trace: TraceContext;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string, data: Readonly<Record<string, unknown>>) => void;
}

/** How the asking ended, before anybody judges what was found. */
export type Answer =
  | { readonly kind: "reply"; readonly reply: Reply }
  | { readonly kind: "failed"; readonly error: PetrelError }
  | { readonly kind: "timed_out" };

const FIRST_WAIT_MS = 100;
const WAIT_MS_MAX = 2_000;
/** An agent that nobody serves for this long has failed; a replica that restarts is back sooner. */
const ABSENT_MS_MAX = limits.CARD_TTL_MS;
/** How long the end of a stream is awaited once its reply is there. */
const TAIL_MS_MAX = 1_000;

/** Never rejects for what an agent does; rejects only when `signal` aborts. */
export async function askForEvidence(options: AskOptions): Promise<Answer> {
  const { clock, desk, request, agent, messageId, timeoutMs } = options;
  const done = new AbortController();
  const timer = setTimeout(
    () => done.abort(new PetrelError("DEADLINE_EXCEEDED", "time is up")),
    timeoutMs,
  );
  const signal = AbortSignal.any([options.signal, done.signal]);
  const key = replyKey(request.investigation, agent, messageId);
  const deadlineMs = clock.nowMs() + timeoutMs;
  try {
    const reply = desk.wait(key, signal).then((found): Answer => ({ kind: "reply", reply: found }));
    const asking = keepAsking({ ...options, signal }, key, deadlineMs);
    const answer = await Promise.race([reply, asking]);
    // The reply overtakes the stream's last frames; hear them out, so that both ends audit the same.
    await Promise.race([asking, clock.sleep(TAIL_MS_MAX, signal)]).catch(() => {});
    return answer;
  } catch (error) {
    if (options.signal.aborted) throw error;
    if (done.signal.aborted) return { kind: "timed_out" };
    return { kind: "failed", error: asPetrelError(error, "INTERNAL", agent) };
  } finally {
    clearTimeout(timer);
    done.abort();
  }
}

/** Sends the request until an agent has dealt with it or says that asking again is pointless. */
async function keepAsking(options: AskOptions, key: string, deadlineMs: number): Promise<Answer> {
  const { clock, signal, log, agent, request, desk } = options;
  let absentSinceMs: number | undefined;
  let asking = 1;
  for (let attempt = 1; ; attempt++) {
    try {
      // Answered already, to an owner before us or to an attempt whose stream was cut: nobody is asked.
      const present = await desk.find(key);
      if (present) return { kind: "reply", reply: present };
      const text = await follow(options, asking, deadlineMs - clock.nowMs());
      // The agent writes its reply before it ends its task, so a reply that is not there was not written.
      const reply = await desk.find(key);
      if (reply) return { kind: "reply", reply };
      // The same message again would only be told of the same end.
      asking++;
      throw new PetrelError(
        "INCOMPLETE",
        `agent "${agent}" ended its task without a reply: ${text}`,
        { agent },
      );
    } catch (error) {
      signal.throwIfAborted();
      const absent = error instanceof PetrelError && error.code === "UNAVAILABLE";
      absentSinceMs = absent ? (absentSinceMs ?? clock.nowMs()) : undefined;
      const gone = absent && clock.nowMs() - (absentSinceMs ?? 0) >= ABSENT_MS_MAX;
      if (gone || !isRetryable(error)) {
        return {
          kind: "failed",
          error: asPetrelError(error, "PROTOCOL_VIOLATION", `agent "${agent}"`),
        };
      }
      const capMs = Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** (attempt - 1));
      log[attempt === 1 ? "warn" : "info"]("ask.again", {
        agent,
        windowId: request.investigation,
        attempt,
        error,
      });
      await clock.sleep(capMs * (0.5 + Math.random() / 2), signal);
    }
  }
}

/** One request and its stream, to the end of the task. Returns the agent's last words. */
async function follow(options: AskOptions, asking: number, leftMs: number): Promise<string> {
  const { transport, messageId, request, trace, signal, onProgress } = options;
  const isFirst = asking === 1;
  const asked = isFirst ? request : { ...request, replyTo: messageId };
  const params = SendMessageRequest.fromJSON({
    message: {
      messageId: isFirst ? messageId : `${messageId}-${asking}`,
      contextId: request.investigation,
      role: "ROLE_USER",
      parts: [{ data: asked, mediaType: "application/json" }],
    },
  });
  const serviceParameters = callParameters({ timeoutMs: Math.max(1, leftMs), trace });
  let last = "";
  for await (const { payload } of transport.sendMessageStream(params, {
    serviceParameters,
    signal,
  })) {
    if (payload?.$case !== "statusUpdate") continue;
    const { text, data } = partsOf(payload.value);
    last = text;
    if (payload.value.status?.state === TaskState.TASK_STATE_WORKING) onProgress(text, data);
  }
  return last.slice(0, 300);
}

type StatusUpdate = Extract<
  NonNullable<StreamResponse["payload"]>,
  { $case: "statusUpdate" }
>["value"];

function partsOf(update: StatusUpdate): { text: string; data: Record<string, unknown> } {
  let text = "";
  let data: Record<string, unknown> = {};
  for (const { content } of update.status?.message?.parts ?? []) {
    if (content?.$case === "text") text = content.value;
    if (content?.$case === "data" && typeof content.value === "object") data = { ...content.value };
  }
  return { text, data };
}
