/**
 * A stream that is cut goes on: whoever consumes it sees every event of the task once, in order, however
 * many replicas and connections that took. Nothing is asked for twice and nothing is run again.
 */
import type { StreamResponse } from "@a2a-js/sdk";
import { type Clock, type Logger, limits, PetrelError, unlessAborted } from "../core/mod.ts";
import { retryAfterOf } from "./calls/call.ts";
import type { Received } from "./receive.ts";
import { isRest } from "./tasks/events.ts";

export interface ResumeOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly agent: string;
  readonly deadlineMs: number;
  /** The stream of a message ends when the task waits for its caller; a subscription goes on. */
  readonly endsAtRest: boolean;
  readonly signal: AbortSignal | undefined;
  readonly first: AsyncGenerator<Received>;
  /** Begins anew what was cut before anything came; undefined where that would ask for a second time. */
  readonly again: (() => AsyncGenerator<Received>) | undefined;
  /** The task's events with greater numbers. */
  readonly subscribe: (taskId: string, cursor: number) => AsyncGenerator<Received>;
}

const FIRST_WAIT_MS = 50;
const WAIT_MS_MAX = 2_000;
/** An agent that nobody serves for this long is not coming back. */
const ABSENT_MS_MAX = limits.CARD_TTL_MS;

/**
 * Yields the events of `first`, and when it is cut, those that follow. Throws what cut it when no task is
 * known yet, asking again is pointless, the agent stays away, or time is up.
 */
export async function* resumed(
  options: ResumeOptions,
): AsyncGenerator<StreamResponse, void, undefined> {
  const { clock, log, agent, subscribe, again, deadlineMs, endsAtRest, signal } = options;
  let stream = options.first;
  let taskId: string | undefined;
  let cursor: number | undefined;
  let waitMs = FIRST_WAIT_MS;
  let absentSinceMs: number | undefined;
  let isResumed = false;
  let isOver = false;
  for (;;) {
    try {
      for await (const { response, event } of stream) {
        taskId ??= taskIdOf(response);
        cursor = event ?? cursor;
        waitMs = FIRST_WAIT_MS;
        absentSinceMs = undefined;
        isOver = endsAtRest && isRest(response);
        yield response;
        if (isOver && isResumed) return;
      }
      return;
    } catch (error) {
      // Nothing was to follow but the end.
      if (isOver) return;
      const isBegun = taskId !== undefined && cursor !== undefined;
      if (signal?.aborted || (!isBegun && !again)) throw error;
      if (!mayResume(error) || clock.nowMs() + waitMs >= deadlineMs) throw error;
      if (isAbsent(error)) absentSinceMs ??= clock.nowMs();
      else absentSinceMs = undefined;
      if (absentSinceMs !== undefined && clock.nowMs() - absentSinceMs > ABSENT_MS_MAX) throw error;
      log.info("rpc.resume", { agent, taskId, cursor, error });
      const jitteredMs = Math.max(waitMs * (0.5 + Math.random() / 2), retryAfterOf(error));
      await unlessAborted(clock.sleep(jitteredMs, signal), signal);
      isResumed = true;
      waitMs = Math.min(WAIT_MS_MAX, waitMs * 2);
      if (taskId !== undefined && cursor !== undefined) stream = subscribe(taskId, cursor);
      else if (again) stream = again();
    }
  }
}

function mayResume(error: unknown): boolean {
  return (
    error instanceof PetrelError && error.retry === "later" && error.code !== "DEADLINE_EXCEEDED"
  );
}

function isAbsent(error: unknown): boolean {
  return error instanceof PetrelError && error.code === "UNAVAILABLE";
}

function taskIdOf({ payload }: StreamResponse): string | undefined {
  if (payload?.$case === "task") return payload.value.id;
  if (payload?.$case === "message" || payload === undefined) return undefined;
  return payload.value.taskId;
}
