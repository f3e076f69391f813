/** A stream that is cut: what its consumer sees, and when it is over. */
import { expect, test } from "bun:test";
import { StreamResponse } from "@a2a-js/sdk";
import type { Received } from "../../a2a/receive.ts";
import { resumed } from "../../a2a/resume.ts";
import { PetrelError, silentLogger, systemClock } from "../../core/mod.ts";
import { failureOf } from "../support/failure.ts";

const task = { task: { id: "t", contextId: "c", status: { state: "TASK_STATE_WORKING" } } };
const status = (state: string) => ({
  statusUpdate: { taskId: "t", contextId: "c", status: { state } },
});
const EVENTS = [task, status("TASK_STATE_WORKING"), status("TASK_STATE_INPUT_REQUIRED")];

const lost = new PetrelError("INCOMPLETE", "a frame is missing");

/** The events with numbers above `after`, and then a cut, an end, or nothing more. */
async function* stream(
  after: number,
  until: number,
  then: "cut" | "end" | "hang",
): AsyncGenerator<Received> {
  for (const [at, json] of EVENTS.slice(0, until).entries()) {
    if (at + 1 > after) yield { response: StreamResponse.fromJSON(json), event: at + 1 };
  }
  if (then === "cut") throw lost;
  if (then === "hang") await systemClock.sleep(600_000);
}

async function seen(options: {
  first: AsyncGenerator<Received>;
  endsAtRest: boolean;
  after?: "cut" | "end" | "hang";
}) {
  const cursors: number[] = [];
  const events: string[] = [];
  const following = resumed({
    clock: systemClock,
    log: silentLogger,
    agent: "a",
    deadlineMs: systemClock.nowMs() + 60_000,
    signal: undefined,
    again: undefined,
    endsAtRest: options.endsAtRest,
    first: options.first,
    subscribe: (_taskId, cursor) => {
      cursors.push(cursor);
      return stream(cursor, EVENTS.length, options.after ?? "end");
    },
  });
  for await (const response of following) events.push(response.payload?.$case ?? "?");
  return { cursors, events };
}

const ALL = ["task", "statusUpdate", "statusUpdate"];

test("it goes on behind the last event, and each comes once", async () => {
  const found = await seen({ first: stream(0, 2, "cut"), endsAtRest: false });
  expect(found).toEqual({ cursors: [2], events: ALL });
});

test("of a message: when the task waits for its caller it is over, though a subscription would go on", async () => {
  const found = await seen({ first: stream(0, 1, "cut"), endsAtRest: true, after: "hang" });
  expect(found).toEqual({ cursors: [1], events: ALL });
});

test("of a message: a cut behind the last event is its end", async () => {
  const found = await seen({ first: stream(0, 3, "cut"), endsAtRest: true });
  expect(found).toEqual({ cursors: [], events: ALL });
});

test("a cut before anything came is the caller's to know", async () => {
  const cut = seen({ first: stream(0, 0, "cut"), endsAtRest: true });
  expect(await failureOf(cut)).toMatchObject({ code: "INCOMPLETE" });
});
