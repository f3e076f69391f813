/** Texts that come from logs, models and peers: none reaches the terminal as an order or a line of its own. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Mesh } from "../../a2a/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { petrel } from "./command.ts";
import { answeringWith, incidentsAgent, type Known } from "./incidents-agent.ts";
import { HOSTILE, hostileIncident, NEXT_ID, POOL_ID, poolIncident } from "./incidents-fixtures.ts";

/** All that a terminal may obey, and text that runs backwards; a newline ends our own lines. */
const ORDERS = /[^\P{Cc}\n]|\p{Cf}|\u2028|\u2029/u;

let nats: NatsServer;
const open: Mesh[] = [];
const known: Known = {
  incidents: [hostileIncident(POOL_ID), hostileIncident(NEXT_ID)],
  silences: [
    {
      id: "s-1",
      matchers: [{ field: "service", isEqual: true, value: `x${HOSTILE}` }],
      from: `then${HOSTILE}`,
      until: "2096-01-01T00:00:00Z",
      by: `me${HOSTILE}`,
      comment: `why${HOSTILE}`,
    },
  ],
  maintenance: [`Sun${HOSTILE}`],
};

beforeAll(async () => {
  nats = await startNats();
  const mesh = await openMesh(nats.url, "sre");
  await mesh.serve(incidentsAgent(known));
  open.push(mesh);
});
afterAll(async () => {
  await Promise.all(open.map((mesh) => mesh.close()));
  await nats[Symbol.asyncDispose]();
});

function incidents(words: readonly string[]) {
  return petrel(["incidents", ...words, "--nats", nats.url]);
}

test.each<[string, string[], number | undefined]>([
  ["list", ["list"], 4],
  ["show", ["show", POOL_ID], undefined],
  ["silences", ["silences"], 4],
  ["dead", ["dead"], 4],
  ["redeliver", ["redeliver", POOL_ID], undefined],
  ["confirm", ["confirm", POOL_ID, "--cause", `it${HOSTILE.replace("\0", "")}`], 2],
])("%s: hostile texts are one line each, without orders", async (_verb, words, lines) => {
  const { code, out, err } = await incidents(words);
  expect([code, err]).toEqual([0, ""]);
  expect(out).not.toMatch(ORDERS);
  expect(out).toMatch(/\[2J \]0;/);
  // No line is the hostile text's own.
  expect(out).not.toMatch(/^resolved/m);
  expect(out.trimEnd().split("\n").length).toBe(lines ?? out.trimEnd().split("\n").length);
});

test("--json: the same value, and nothing a terminal obeys", async () => {
  const { out } = await incidents(["show", NEXT_ID, "--json"]);
  expect(out).not.toMatch(ORDERS);
  expect(JSON.parse(out)).toEqual({ kind: "incident", incident: hostileIncident(NEXT_ID) });
});

test("a command to paste holds no task id that a shell would read", async () => {
  known.incidents.push(
    poolIncident({ id: "01ad0000-0000-7000-8000-00000000000c", taskId: "x;rm -rf ~" }),
  );
  const { out } = await incidents(["show", "01ad0000"]);
  expect(out).toContain("A2A task");
  expect(out).not.toContain("petrel audit show");
});

test.each([
  [
    "a title of 10 kB",
    { kind: "incident", incident: { ...poolIncident(), title: "x".repeat(10_240) } },
  ],
  [
    "a field that nobody knows",
    { kind: "incident", incident: { ...poolIncident(), [HOSTILE]: 1 } },
  ],
  ["an answer to another question", { kind: "silences", silences: [], maintenance: [] }],
  ["no answer", { hello: HOSTILE }],
])("%s: refused in one line, exit code 5", async (_what, data) => {
  await using other = await startNats();
  const mesh = await openMesh(other.url, "sre");
  await mesh.serve(answeringWith(data));
  const { code, out, err } = await petrel(["incidents", "show", POOL_ID, "--nats", other.url]);
  await mesh.close();
  expect([code, out]).toEqual([5, ""]);
  expect(err).toMatch(/^petrel: the SRE agent/);
  expect(err).not.toMatch(ORDERS);
  expect(err.length).toBeLessThan(800);
  expect(err.trim().split("\n")).toHaveLength(1);
});

test.each([
  ["rejects it", "rejected", 1],
  ["fails at it", "failed", 4],
] as const)("an agent that %s with a hostile text", async (_what, kind, expected) => {
  await using other = await startNats();
  const mesh = await openMesh(other.url, "sre");
  const run = async () => ({ kind, text: `no such thing${HOSTILE}` });
  await mesh.serve({ ...answeringWith({}), run });
  const { code, out, err } = await petrel(["incidents", "--nats", other.url]);
  await mesh.close();
  expect([code, out]).toEqual([expected, ""]);
  expect(err).toContain("no such thing [2J ]0; resolved evil 31m x");
  expect(err).not.toMatch(ORDERS);
});

test("an agent that answers with an A2A error", async () => {
  await using other = await startNats();
  const mesh = await openMesh(other.url, "sre");
  const run = async () => {
    throw new Error(`broken${HOSTILE}`);
  };
  await mesh.serve({ ...answeringWith({}), messageOnly: true, run });
  const { code, out, err } = await petrel(["incidents", "--nats", other.url]);
  await mesh.close();
  expect([code > 0, out]).toEqual([true, ""]);
  expect(err).not.toMatch(ORDERS);
});
