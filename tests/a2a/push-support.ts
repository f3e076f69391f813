/** What tests of push notifications share: a webhook that notes what it got, a clock that skips waits. */
import { StreamResponse, TaskPushNotificationConfig } from "@a2a-js/sdk";
import type { Clock } from "../../core/mod.ts";
import { systemClock } from "../../core/mod.ts";

export interface Received {
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

export interface Webhook extends AsyncDisposable {
  readonly url: string;
  readonly received: Received[];
}

/** A webhook on 127.0.0.1; `answer` gives the status, or a whole answer, of the n-th request (from 1). */
export function startWebhook(
  answer: (n: number, request: Received) => Response | number | Promise<Response | number> = () =>
    200,
): Webhook {
  const received: Received[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      const body = await request.text();
      const got = { path: `${pathname}${search}`, headers: request.headers, body };
      received.push(got);
      const status = await answer(received.length, got);
      return typeof status === "number" ? new Response("", { status }) : status;
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/hook`,
    received,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** The one wait that takes its time on a {@link SkippingClock}: the deadline of an attempt. */
export const REAL_MS = 7_777;

/** Waits pass at once and are noted; only a wait of REAL_MS is one. */
export class SkippingClock implements Clock {
  readonly naps: number[] = [];
  #skippedMs = 0;

  nowMs(): number {
    return systemClock.nowMs() + this.#skippedMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms === REAL_MS) return systemClock.sleep(ms, signal);
    signal?.throwIfAborted();
    this.naps.push(ms);
    this.#skippedMs += ms;
  }
}

export function configOf(more: object): TaskPushNotificationConfig {
  return TaskPushNotificationConfig.fromJSON({ taskId: "t1", id: "c1", ...more });
}

/** The n-th event of a task: a status update that bears its number. */
export function eventOf(taskId: string, event: number): StreamResponse {
  return StreamResponse.fromJSON({
    statusUpdate: {
      taskId,
      contextId: "ctx",
      status: { state: "TASK_STATE_WORKING" },
      metadata: { event },
    },
  });
}

/** The number that {@link eventOf} put into a notification's body. */
export function numberIn(body: string): number {
  return JSON.parse(body).statusUpdate.metadata.event;
}
