/** The supervisor on a real mesh: questions are routed by skill, answered with citations, or asked back. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { TaskState } from "@a2a-js/sdk";
import type { Mesh, Serving } from "../../../a2a/mod.ts";
import { Question, readAnswer } from "../../../agents/supervisor/mod.ts";
import { systemClock } from "../../../core/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { startNats } from "../../support/nats.ts";
import { finding } from "../verdict-fixtures.ts";
import {
  ask,
  fullIncident,
  quiet,
  type SreStandIn,
  serveSupervisor,
  sreStandIn,
  summary,
  verdict,
} from "./fixtures.ts";

let stack: AsyncDisposableStack;
let sre: SreStandIn;
let serving: Serving;
let supervisor: Mesh;
let client: Mesh;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats());
  const open = async (name: string) => {
    const mesh = await openMesh(nats.url, name);
    stack.defer(() => mesh.close());
    return mesh;
  };
  const agents = await open("sre");
  supervisor = await open("supervisor");
  client = await open("cli");
  sre = sreStandIn();
  serving = await agents.serve(sre.agent);
});
afterEach(() => stack.disposeAsync());

const COMPLETED = TaskState.TASK_STATE_COMPLETED;
const ASKS_BACK = TaskState.TASK_STATE_INPUT_REQUIRED;

test("why, since a time: the window is investigated for all services, and the answer cites", async () => {
  await serveSupervisor(supervisor);
  sre.incidents = [summary("01a2b3c4")];
  const asked = await ask(client, "why is payment failing since 14:40?");
  expect(asked.state).toBe(COMPLETED);
  const [request] = sre.asked;
  expect(request?.window).toEqual({
    start: "2026-11-21T14:40:00.000Z",
    end: "2026-11-21T15:02:30.000Z",
  });
  expect(request?.query).toBeUndefined();
  const answer = readAnswer(asked.data);
  expect(answer).toMatchObject({
    intent: "why",
    outcome: "incident",
    services: ["payment-service"],
    window: request?.window,
    verdict: request?.investigation,
  });
  expect(answer.citations.map(({ id }) => id)).toEqual(["e1"]);
  expect(asked.text).toBe(answer.answer);
  expect(asked.text).toContain("I looked at 2026-11-21 14:40–15:02:30 UTC.");
  expect(asked.text).toContain("payment-service is the most likely cause");
  expect(asked.text).toContain("[e1]");
  expect(asked.progress.join("; ")).toMatch(/investigating 2026-11-21.*asking splunk/);
  expect(asked.task.artifacts.find(({ name }) => name === "answer")?.parts[0]?.content).toEqual({
    $case: "data",
    value: answer,
  });
});

test("a service that is not the cause is told of all the same", async () => {
  await serveSupervisor(supervisor);
  sre.incidents = [summary("01a2b3c4")];
  const { text } = await ask(client, "warum schlägt order seit 14:40 fehl?");
  expect(text).toContain("order-service suffers from it");
  const other = await ask(client, "why is ledger-service slow since 14:40?");
  expect(other.text).toContain("No finding is about ledger-service itself.");
});

test("without a time the last complete window is looked at, and the answer says so", async () => {
  await serveSupervisor(supervisor);
  sre.investigate = (request) => quiet(request);
  const { text, data } = await ask(client, "what is broken?");
  expect(sre.asked[0]?.window).toEqual({
    start: "2026-11-21T14:55:00.000Z",
    end: "2026-11-21T15:00:00.000Z",
  });
  expect(text).toBe(
    "I looked at 2026-11-21 14:55–15:00 UTC, the last complete window, since no time was named. " +
      "Nothing stands out in the logs (1,130 lines) and metrics (58 series).",
  );
  expect(readAnswer(data).outcome).toBe("quiet");
});

test("a source that failed is told, and nothing is called quiet beside it", async () => {
  await serveSupervisor(supervisor);
  sre.investigate = (request) => {
    const { metrics } = quiet(request).sources;
    if (!metrics) throw new Error("the fixture has it");
    const splunk = { ...metrics, status: "failed", reason: "UNAVAILABLE: no route" } as const;
    const sources = { splunk, metrics };
    return quiet(request, { outcome: "inconclusive", reason: "splunk failed", sources });
  };
  const { text, data } = await ask(client, "why since 14:40");
  expect(text).toContain("The logs could not be read: UNAVAILABLE: no route.");
  expect(text).toContain("So I cannot say whether something is wrong.");
  expect(text).not.toMatch(/nothing stands out/i);
  expect(readAnswer(data).outcome).toBe("inconclusive");
});

test("logs of a service: the investigation is for it alone, and only the logs are told", async () => {
  await serveSupervisor(supervisor);
  sre.investigate = (request) =>
    verdict(request, {
      evidence: [
        { id: "e1", source: "logs", finding: finding({ service: "ledger-service" }) },
        { id: "e2", source: "metrics", finding: finding({ summary: "not of logs" }) },
      ],
    });
  const asked = await ask(client, "show the logs of ledger-service in the last 30 minutes");
  expect(sre.asked[0]?.query).toEqual({ services: ["ledger-service"] });
  expect(asked.text).toContain(", for ledger-service.");
  expect(asked.text).toContain("[e1]");
  expect(asked.text).not.toContain("not of logs");
});

test("no log line is not a quiet log", async () => {
  await serveSupervisor(supervisor);
  sre.investigate = (request) => {
    const { splunk } = quiet(request).sources;
    if (!splunk) throw new Error("the fixture has it");
    return quiet(request, { sources: { splunk: { ...splunk, stats: { lines: 0 } } } });
  };
  const { text } = await ask(client, "logs of ledger-service since 14:40");
  expect(text).toContain("There is no log line of ledger-service in that window");
});

test("an ambiguous service is asked back; its number goes on with what was understood", async () => {
  await serveSupervisor(supervisor);
  const gateway = { service: "payment-gateway", services: ["payment-gateway"] };
  sre.incidents = [summary("01a2b3c4"), summary("01a2b3c5", gateway)];
  const asked = await ask(client, "why is payment failing since 14:40?");
  expect(asked.state).toBe(ASKS_BACK);
  expect(Question.parse(asked.data)).toMatchObject({
    needs: "service",
    candidates: ["payment-service", "payment-gateway"],
    asked: 1,
  });
  const again = await ask(client, "2", { taskId: asked.id });
  expect(again.id).toBe(asked.id);
  expect(readAnswer(again.data)).toMatchObject({
    services: ["payment-gateway"],
    window: { start: "2026-11-21T14:40:00.000Z" },
  });
});

test.each(["payment gateway", "the gateway", "payment-gateway", "payment-gateway, please"])(
  "an ambiguous service, told as %s",
  async (reply) => {
    await serveSupervisor(supervisor);
    const gateway = { service: "payment-gateway", services: ["payment-gateway"] };
    sre.incidents = [summary("01a2b3c4"), summary("01a2b3c5", gateway)];
    const { id } = await ask(client, "why is payment failing since 14:40?");
    const again = await ask(client, reply, { taskId: id });
    expect(readAnswer(again.data).services).toEqual(["payment-gateway"]);
  },
);

test("a reply that is none of the candidates is asked again, and another question is taken", async () => {
  await serveSupervisor(supervisor);
  const gateway = { service: "payment-gateway", services: ["payment-gateway"] };
  sre.incidents = [summary("01a2b3c4"), summary("01a2b3c5", gateway)];
  const { id } = await ask(client, "why is payment failing since 14:40?");
  const again = await ask(client, "the blue one", { taskId: id });
  expect(again.state).toBe(ASKS_BACK);
  expect(Question.parse(again.data).candidates).toEqual(["payment-service", "payment-gateway"]);
  const all = await ask(client, "all of them", { taskId: id });
  expect(readAnswer(all.data)).toMatchObject({ intent: "why", services: [] });
});

test("a question without an intent is asked back, in any script, and its time is kept", async () => {
  await serveSupervisor(supervisor);
  const asked = await ask(client, "платёж payment-service с 14:40–14:50");
  expect(asked.state).toBe(ASKS_BACK);
  expect(asked.text).toContain("I understood payment-service, 2026-11-21 14:40–14:50 UTC.");
  expect(sre.asked).toEqual([]);
  const again = await ask(client, "1", { taskId: asked.id });
  expect(readAnswer(again.data)).toMatchObject({ intent: "why", services: ["payment-service"] });
  expect(sre.asked[0]?.window.end).toBe("2026-11-21T14:50:00.000Z");
});

test("a time to come is asked back, and the next message names another", async () => {
  await serveSupervisor(supervisor);
  const asked = await ask(client, "what broke between 16:00 and 16:30?");
  expect(asked.state).toBe(ASKS_BACK);
  expect(asked.text).toContain("2026-11-21 16:00 UTC is still to come");
  const again = await ask(client, "yesterday 16:00 to 16:30", { taskId: asked.id });
  expect(readAnswer(again.data).window?.start).toBe("2026-11-20T16:00:00.000Z");
});

test("who never says what is wanted is asked five times", async () => {
  await serveSupervisor(supervisor);
  let asked = await ask(client, "lorem ipsum");
  for (let round = 2; round <= 5; round++) {
    expect(asked.state).toBe(ASKS_BACK);
    asked = await ask(client, "dolor sit", { taskId: asked.id });
  }
  expect(asked.state).toBe(ASKS_BACK);
  const last = await ask(client, "amet", { taskId: asked.id });
  expect(last.state).toBe(TaskState.TASK_STATE_FAILED);
  expect(last.text).toContain("I asked 5 times");
});

test("incidents are listed, one is shown, and what was before is told", async () => {
  await serveSupervisor(supervisor);
  sre.incidents = [summary("01a2b3c4"), summary("01a2b3c5", { state: "resolved" })];
  const seen = {
    incident: "0199aaaa",
    at: "2026-10-01T08:00:00.000Z",
    cause: "payment-service: pool too small",
    isConfirmed: true,
    similarity: 0.9,
  };
  sre.show = { one: fullIncident("01a2b3c4", { seenBefore: [seen] }) };
  const open = readAnswer((await ask(client, "which incidents are open?")).data);
  expect(open).toMatchObject({ intent: "incidents", outcome: "listed" });
  expect(open.answer).toContain("There is one incident.");
  expect(open.citations).toEqual([
    {
      id: "i1",
      source: "incidents",
      service: "payment-service",
      summary: "payment-service: database connection pool exhausted",
    },
  ]);
  const one = readAnswer((await ask(client, "show incident 01a2b3c4")).data);
  expect(one).toMatchObject({ incident: "01a2b3c4", outcome: "incident" });
  expect(one.answer).toContain("It was seen before on 2026-10-01 08:00 UTC");
  const before = readAnswer((await ask(client, "has this happened before?")).data);
  expect(before).toMatchObject({ intent: "past", incident: "01a2b3c4" });
  expect(before.answer).toContain("confirmed cause payment-service: pool too small [i1]");
  const none = await ask(client, "incidents of ledger-service");
  expect(none.text).toBe("No incident of ledger-service is known.");
  const unknown = await ask(client, "incident 01ffffff");
  expect(unknown.state).toBe(TaskState.TASK_STATE_FAILED);
  expect(unknown.text).toContain("no incident 01ffffff is known");
});

test("how things are: what is open, and the last window", async () => {
  await serveSupervisor(supervisor);
  sre.incidents = [summary("01a2b3c4")];
  sre.investigate = (request) => quiet(request);
  const { text, data } = await ask(client, "is everything ok?");
  expect(text).toContain("There is one open incident.");
  expect(text).toContain("[i1]");
  expect(text).toContain("Nothing stands out");
  expect(readAnswer(data).citations.map(({ id }) => id)).toEqual(["i1"]);
});

test("who is in the mesh", async () => {
  await serveSupervisor(supervisor);
  const { text, data } = await ask(client, "welche Agenten sind im Mesh?");
  expect(text).toContain("2 agents are in the mesh.");
  expect(text).toContain("sre has the skills investigate and incidents (one replica");
  expect(readAnswer(data).citations.map(({ service }) => service)).toEqual(["sre", "supervisor"]);
});

test("nobody has the skill: the answer names it, and the command that brings it", async () => {
  await serveSupervisor(supervisor);
  await serving.stop();
  const asked = await ask(client, "why since 14:40");
  expect(asked.state).toBe(TaskState.TASK_STATE_FAILED);
  expect(asked.text).toContain('no agent in the mesh has the skill "investigate"');
  expect(asked.text).toContain("petrel up --role sre");
});

test("a deadline travels, and passing it is told", async () => {
  await serveSupervisor(supervisor);
  let leftMs = 0;
  sre.investigate = async (request, turn) => {
    leftMs = turn.deadlineMs - systemClock.nowMs();
    await systemClock.sleep(60_000, turn.signal);
    return quiet(request);
  };
  const asked = await ask(client, "why since 14:40", { timeoutMs: 3_000 });
  expect(leftMs).toBeLessThanOrEqual(3_000);
  expect(asked.state).toBe(TaskState.TASK_STATE_FAILED);
  expect(asked.text).toContain("no answer in time");
});

test("a replica dies while it waits: another answers, and the window is investigated once", async () => {
  const doomed = await openMesh(supervisor.nc.getServer(), "supervisor");
  await serveSupervisor(doomed);
  const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>();
  const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>();
  sre.investigate = async (request) => {
    asked();
    await mayAnswer;
    return verdict(request);
  };
  const answered = ask(client, "why since 14:40", { timeoutMs: 60_000 });
  await isAsked;
  await serveSupervisor(supervisor);
  await doomed.nc.close();
  answer();
  const { state, text } = await answered;
  expect(state).toBe(COMPLETED);
  expect(text).toContain("payment-service is the most likely cause");
  expect(sre.asked).toHaveLength(1);
});

test("a question that is too long is rejected, at any length that reaches it", async () => {
  await serveSupervisor(supervisor);
  const long = await ask(client, `why ${"x".repeat(4_000)}`);
  expect(long.state).toBe(TaskState.TASK_STATE_REJECTED);
  expect(long.text).toBe("The question has 4,004 characters, at most 4,000 are read.");
  const huge = await ask(client, "é".repeat(300_000));
  expect(huge.state).toBe(TaskState.TASK_STATE_REJECTED);
  expect(sre.asked).toEqual([]);
  await expect(ask(client, "why ".repeat(262_144))).rejects.toMatchObject({ code: "TOO_LARGE" });
});

test("a finding cannot forge a citation", async () => {
  await serveSupervisor(supervisor);
  const summaryText = "boom [e7] and \u001b[31m[i1]\nnext";
  sre.investigate = (request) =>
    verdict(request, {
      evidence: [{ id: "e1", source: "logs", finding: finding({ summary: summaryText }) }],
    });
  const answer = readAnswer((await ask(client, "why since 14:40")).data);
  expect(answer.citations.map(({ id }) => id)).toEqual(["e1"]);
  expect(answer.answer).not.toMatch(/\[e7\]|\[i1\]|\p{Cc}/u);
});
