/** `petrel ask` as a process, against a real nats-server with a supervisor and an SRE agent on it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { ListTasksRequest, TaskState } from "@a2a-js/sdk";
import type { Mesh } from "../../a2a/mod.ts";
import { systemClock } from "../../core/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import {
  type SreStandIn,
  serveSupervisor,
  sreStandIn,
  summary,
  verdict,
} from "../agents/supervisor/fixtures.ts";
import { finding } from "../agents/verdict-fixtures.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { petrel } from "./command.ts";

const LINK = "https://splunk.example/app/search?q=1";

let nats: NatsServer;
let sre: SreStandIn;
const open: Mesh[] = [];

beforeAll(async () => {
  nats = await startNats();
  const [agents, supervisor] = [
    await openMesh(nats.url, "sre"),
    await openMesh(nats.url, "supervisor"),
  ];
  open.push(agents, supervisor);
  sre = sreStandIn();
  sre.incidents = [
    summary("01a2b3c4"),
    summary("01a2b3c5", { service: "payment-gateway", services: ["payment-gateway"] }),
  ];
  sre.investigate = (request) =>
    verdict(request, {
      evidence: [{ id: "e1", source: "logs", finding: finding({ link: LINK }) }],
    });
  await agents.serve(sre.agent);
  await serveSupervisor(supervisor);
});
afterAll(async () => {
  await Promise.all(open.map((mesh) => mesh.close()));
  await nats[Symbol.asyncDispose]();
});

const ask = (...words: string[]) => petrel(["ask", ...words, "--nats", nats.url]);

test("an answer with its citations and links; what is done is told on standard error", async () => {
  const { code, out, err } = await ask("why is payment-service failing since 14:40?");
  expect(code).toBe(0);
  const lines = out.trimEnd().split("\n");
  expect(lines[0]).toContain("I looked at 2026-11-21 14:40–15:0");
  expect(lines[0]).toContain("[e1]");
  expect(lines[1]).toBe(`  e1  logs  payment-service logged 150 errors, 2 before.  ${LINK}`);
  expect(lines[2]).toBe("  next: Look at the pool's size.");
  expect(err).toMatch(/… investigating 2026-11-21 14:40/);
  expect(err).toMatch(/… asking splunk/);
});

test("--json is one object and nothing else", async () => {
  const { code, out, err } = await ask("--json", "why is payment-service failing since 14:40?");
  expect([code, err]).toEqual([0, ""]);
  const told = JSON.parse(out);
  expect(told).toMatchObject({
    state: "completed",
    answer: {
      schema: "petrel.answer/v1",
      outcome: "incident",
      citations: [{ id: "e1", link: LINK }],
    },
  });
  expect(out.trimEnd().split("\n")).toHaveLength(1);
});

test("an unclear question is printed, with an exit code of its own; --task goes on with it", async () => {
  const unclear = await ask("why is payment failing since 14:40?");
  expect(unclear.code).toBe(6);
  expect(unclear.out).toContain(
    'Which service is "payment"? 1. payment-service; 2. payment-gateway',
  );
  const task = /--task (\S+)/.exec(unclear.out)?.[1] ?? "";
  const again = await ask("--json", "--task", task, "payment-gateway");
  expect(again.code).toBe(0);
  expect(JSON.parse(again.out)).toMatchObject({
    task,
    answer: { services: ["payment-gateway"], window: { start: "2026-11-21T14:40:00.000Z" } },
  });
  const json = await ask("--json", "lorem ipsum");
  expect(json.code).toBe(6);
  expect(JSON.parse(json.out)).toMatchObject({
    state: "input-required",
    question: { needs: "intent", asked: 1 },
  });
});

test("a source that was away: told, and the exit code of a system that is away", async () => {
  const { investigate } = sre;
  sre.investigate = (request) => {
    const { splunk, metrics } = verdict(request).sources;
    if (!splunk || !metrics) throw new Error("the fixture has them");
    const failed = { ...splunk, status: "failed", reason: "no route" } as const;
    const outcome = "inconclusive" as const;
    return verdict(request, {
      outcome,
      causes: [],
      rootCause: null,
      sources: { splunk: failed, metrics },
    });
  };
  const { code, out } = await ask("what broke since 14:40?");
  sre.investigate = investigate;
  expect(code).toBe(4);
  expect(out).toContain("The logs could not be read: no route.");
});

test("what cannot be answered says why", async () => {
  const { code, out } = await ask("incident 01ffffff");
  expect(code).toBe(1);
  expect(out).toContain(
    "not answered (failed): the agent could not answer: no incident 01ffffff is known",
  );
});

test.each<[string, string[], RegExp]>([
  ["no question", ["--json"], /ask what\?/],
  ["an empty one", ["  "], /ask what\?/],
  ["two of them", ["why", "not"], /unexpected word "not"/],
  ["one that is too long", [`why ${"x".repeat(4_000)}`], /4004 characters, at most 4000/],
  ["a task that cannot be", ["--task", "a b", "why"], /is no task's id/],
  ["a timeout that is none", ["--timeout", "soon", "why"], /--timeout/],
])("%s: one clear line", async (_, words, expected) => {
  const { code, out, err } = await ask(...words);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toMatch(expected);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
});

test("a task that is not there is one clear line", async () => {
  const { code, err } = await ask("--task", "nothing-of-the-kind", "why");
  expect(code).toBe(5);
  expect(err).toContain("Task not found");
});

test("no supervisor in the mesh: one clear line, and how to get one", async () => {
  await using empty = await startNats();
  const { code, out, err } = await petrel(["ask", "why?", "--nats", empty.url]);
  expect([code, out]).toEqual([4, ""]);
  expect(err).toBe(
    "petrel: no agent in the mesh answers questions; start one with: petrel up --role supervisor\n",
  );
});

test("without NATS: one clear line", async () => {
  const { code, err } = await petrel(["ask", "why?", "--nats", "nats://127.0.0.1:1"]);
  expect(code).toBe(4);
  expect(err).toContain("no server answers");
});

test("interrupted: the question is taken back, and its task does not go on", async () => {
  const { investigate } = sre;
  const asked = Promise.withResolvers<void>();
  sre.investigate = async (request, turn) => {
    asked.resolve();
    await systemClock.sleep(60_000, turn.signal);
    return verdict(request);
  };
  const main = join(import.meta.dir, "../../cli/main.ts");
  const words = [main, "ask", "what broke since 14:40?", "--nats", nats.url];
  const child = Bun.spawn([process.execPath, ...words], { stdout: "pipe", stderr: "pipe" });
  await asked.promise;
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
  sre.investigate = investigate;
  const cli = await openMesh(nats.url, "cli");
  open.push(cli);
  const { tasks } = await cli.transport("supervisor").listTasks(ListTasksRequest.fromJSON({}));
  expect(tasks[0]?.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
});

test("on a terminal the person is asked, and the same task goes on", async () => {
  const main = join(import.meta.dir, "../../cli/main.ts");
  const script = Bun.which("script");
  if (script === null) return console.error("no script(1): a terminal is not tested");
  const command = `${process.execPath} ${main} ask "why is payment failing since 14:40?" --nats ${nats.url}`;
  const child = Bun.spawn([script, "-qec", command, "/dev/null"], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
    env: { ...process.env, NO_COLOR: "1" },
  });
  let text = "";
  let isAnswered = false;
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    text += decoder.decode(chunk, { stream: true });
    if (!isAnswered && Bun.stripANSI(text).endsWith("> ")) {
      isAnswered = true;
      void child.stdin.write("2\n");
      await child.stdin.flush();
    }
  }
  expect(await child.exited).toBe(0);
  expect(text).toContain('Which service is "payment"?');
  expect(text).toContain("I looked at 2026-11-21 14:40");
});
