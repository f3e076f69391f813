/** `petrel incidents` as a process, against an SRE agent in a real mesh: what it says, and its exit codes. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { Mesh } from "../../a2a/mod.ts";
import { IncidentsAnswer } from "../../agents/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { petrel } from "./command.ts";
import { incidentsAgent, type Known } from "./incidents-agent.ts";
import { NEXT_ID, POOL_ID, poolIncident } from "./incidents-fixtures.ts";

let nats: NatsServer;
let mesh: Mesh;
const known: Known = { incidents: [], silences: [], maintenance: [] };

beforeAll(async () => {
  nats = await startNats();
  mesh = await openMesh(nats.url, "sre");
  await mesh.serve(incidentsAgent(known));
});
afterAll(async () => {
  await mesh.close();
  await nats[Symbol.asyncDispose]();
});
beforeEach(() => {
  const late = { openedAt: "2026-11-30T03:30:00.000Z", updatedAt: "2026-11-30T03:30:00.000Z" };
  known.incidents = [
    poolIncident(),
    poolIncident({
      ...late,
      id: NEXT_ID,
      state: "resolved",
      severity: "warning",
      service: "ledger-service",
      services: ["ledger-service"],
      silencedBy: "s1",
      judgement: { isConfirmed: false, by: "jane", at: late.openedAt, cause: "a release" },
    }),
    poolIncident({ id: "01acffff-0000-7000-8000-000000000009", state: "closed" }),
  ];
  known.silences = [];
  known.maintenance.length = 0;
});

function incidents(words: readonly string[]) {
  return petrel(["incidents", ...words, "--nats", nats.url]);
}

async function answerOf(words: readonly string[]): Promise<IncidentsAnswer> {
  const { code, out, err } = await incidents([...words, "--json"]);
  expect([code, err, out.trim().split("\n").length]).toEqual([0, "", 1]);
  return IncidentsAnswer.parse(JSON.parse(out));
}

test("a list: those that are not over, newest first, below each other", async () => {
  const { code, out, err } = await incidents([]);
  expect([code, err]).toEqual([0, ""]);
  const [head = "", first = "", second = "", total, ...rest] = out.trimEnd().split("\n");
  expect(rest).toEqual([]);
  // Ids of one millisecond are told apart by as many characters as it takes.
  const chars = NEXT_ID.indexOf("b2", 30) + 1;
  expect(first.slice(0, chars + 2)).toBe(`${NEXT_ID.slice(0, chars)}  `);
  expect(first).toMatch(
    /resolved +warning +ledger-service .* 2026-11-30 03:05Z +3 +dead letters, silenced, rejected$/,
  );
  expect(second).toMatch(
    /open +critical +payment-service +database connection pool exhausted +2026-11-30 03:05Z +3 +dead letters$/,
  );
  expect(total).toBe("2 incidents · petrel incidents show ID");
  for (const column of ["state", "severity", "service", "mechanism", "since", "windows"]) {
    const at = head.indexOf(column);
    for (const row of [first, second]) {
      expect(row.slice(at - 2, at)).toBe("  ");
      expect(row[at]).not.toBe(" ");
    }
  }
});

test("a list is narrowed by state and service, and says when it is cut", async () => {
  const { out } = await incidents(["list", "--state", "all", "--limit", "1"]);
  expect(out).toContain("1 incident · there are more: --limit N");
  expect((await incidents(["--state", "closed"])).out).toContain("01acffff-0000");
  const asked = await answerOf(["list", "--service", "ledger-service"]);
  expect(asked).toMatchObject({ kind: "incidents", isCut: false, incidents: [{ id: NEXT_ID }] });
});

test("no incident is said in words", async () => {
  const none = await incidents(["list", "--service", "nobody"]);
  expect([none.code, none.out]).toEqual([
    0,
    "no incident of nobody is pending, open or resolved (those that are over: --state closed)\n",
  ]);
  known.incidents = [];
  expect((await incidents(["--state", "all"])).out).toBe(
    "no incident is pending, open, resolved or closed\n",
  );
});

test("show, by the beginning of an id: what matters first, then all there is", async () => {
  known.incidents = known.incidents.slice(0, 1);
  const { code, out, err } = await incidents(["show", POOL_ID.slice(0, 8)]);
  expect([code, err]).toEqual([0, ""]);
  const places = [
    "▲ payment-service: database connection pool exhausted",
    "open · critical · confidence 0.95 · since 2026-11-30 03:05Z",
    "3 windows show it, the last 2026-11-30 03:15Z to 03:20Z",
    "Requests waited 30 s for a connection and failed [e1].",
    "gpt-4o-mini, 0.90 sure of it",
    "The budget for tools was spent after 2 calls.",
    "1 statement did not hold against the evidence",
    "affected    order-service, api-gateway",
    "next        Look for slow statements",
    "seen before 2026-11-02 10:00Z",
    "\nevidence\n",
    "measured 150 lines · normal 0 lines · up · score 12.5",
    "https://logs.example/search?q=e1",
    "measured 1,200 ms · allowed 1,000 ms",
    "other findings of the window\n  e4  metrics · payment-service · CPU at 33 %, normally 11 %.\n\n",
    "see the same data\n  payment-service\n      https://grafana.example/d/payment-service",
    "2. order-service · latency · confidence 0.31 · for it e3 · against it e1",
    "there is no evidence e9: “The database host is down [e9].”",
    "1  2026-11-30 03:12:05Z  opened · Seen in a window.",
    "slack delivered, pagerduty dead",
    "slack pending",
    'splunk_search {"q":"index=payments"}',
    "refused in 1.2 s: it is not on the list",
    "2 calls · 2 tool calls · 3,412 tokens in, 512 out · $0.0123",
    "petrel audit show 7d1f10f4-e5de-8922-a02f-e4fd94f7444b",
    "petrel audit replay --task 7d1f10f4-e5de-8922-a02f-e4fd94f7444b",
    `not taken   petrel incidents redeliver ${POOL_ID}`,
    `petrel incidents confirm ${POOL_ID}`,
  ];
  let last = -1;
  for (const words of places) {
    const at = out.indexOf(words, last + 1);
    expect([words, at > last]).toEqual([words, true]);
    last = at;
  }
  expect(out.split("\nevidence\n")[0]?.split("\n").length).toBeLessThan(24);
  expect(await answerOf(["show", POOL_ID])).toEqual({
    kind: "incident",
    incident: poolIncident(),
  });
});

test("a person's judgement is kept, under the person's name", async () => {
  const words = ["--cause", "ledger held its locks", "--note", "fixed in 4.2"];
  const confirmed = await answerOf(["confirm", POOL_ID, ...words]);
  const by = process.env.USER ?? "cli";
  expect(confirmed).toMatchObject({
    incident: {
      judgement: { isConfirmed: true, by, cause: "ledger held its locks", note: "fixed in 4.2" },
    },
  });
  const rejected = await incidents(["reject", NEXT_ID]);
  expect(rejected.out).toMatch(
    new RegExp(`^rejected ${NEXT_ID} by ${by}\n  what it was instead: `),
  );
  expect((await incidents(["show", POOL_ID])).out).toMatch(
    /judged +confirmed by .*: ledger held its locks\n +“fixed in 4.2”/,
  );
});

test("a silence is set, listed and ended", async () => {
  const when = ["--from", "2096-01-01T00:00:00Z", "--for", "2h"];
  const what = ["--match", "service=payment-*", "--match", "severity!=critical"];
  const set = await incidents(["silence", ...what, ...when, "--comment", "release 4.2"]);
  const [silence] = known.silences;
  expect(set.out.split("\n").slice(0, 4)).toEqual([
    "silenced service=payment-* severity!=critical",
    "  2096-01-01 00:00Z to 2096-01-01 02:00Z (2 h): release 4.2",
    "  matches no incident that is open now",
    `  ends early with: petrel incidents unsilence ${silence?.id}`,
  ]);
  expect(silence).toMatchObject({
    matchers: [
      { field: "service", isEqual: true, value: "payment-*" },
      { field: "severity", isEqual: false, value: "critical" },
    ],
    from: "2096-01-01T00:00:00.000Z",
    until: "2096-01-01T02:00:00.000Z",
  });
  known.maintenance.push("Sun 02:00-04:00 UTC service=ledger-*");
  const { out } = await incidents(["silences"]);
  expect(out).toMatch(
    /to come +2096-01-01 00:00Z +2096-01-01 02:00Z +service=payment-\* severity!=critical/,
  );
  expect(out).toContain("maintenance, by configuration\n  Sun 02:00-04:00 UTC service=ledger-*\n");
  const id = silence?.id ?? "";
  const ended = await incidents(["unsilence", id]);
  expect(ended.out).toMatch(new RegExp(`^ended silence ${id}; left are:\\nno silence\\n`));
  expect((await incidents(["silences"])).out).toMatch(/^no silence\n/);
});

test.each<[string[], number, string]>([
  [[], 1, "holds back 1 incident now"],
  [[], 2, "holds back 2 incidents now"],
  [["--from", "2096-01-01T00:00:00Z"], 2, "would hold back 2 incidents now"],
])("a silence %p that matches %d says so", async (when, matching, words) => {
  known.matching = matching;
  const what = ["silence", "--match", "service=*", ...when, "--comment", "c"];
  const { out } = await incidents([...what, "--until", "2096-02-01T00:00:00Z"]);
  known.matching = 0;
  expect(out.split("\n")[2]).toBe(`  ${words}`);
});

test("dead letters are listed, also those of what is over, and sent again", async () => {
  const listed = await incidents(["dead"]);
  expect([listed.code, listed.err]).toEqual([0, ""]);
  const lines = listed.out.trimEnd().split("\n");
  expect(lines[0]).toMatch(/since +not taken by$/);
  expect(lines.slice(1, 4).every((line) => line.endsWith("  pagerduty"))).toBe(true);
  expect(lines.at(-1)).toBe("3 incidents · petrel incidents redeliver ID");
  expect((await incidents(["dead", "--service", "nobody"])).out).toBe(
    "no notice of nobody is dead\n",
  );
  const sent = await incidents(["redeliver", POOL_ID]);
  expect(sent).toEqual({
    code: 0,
    out: `${POOL_ID}: 1 sent\n  change 1  pagerduty  delivered\n`,
    err: "",
  });
  const none = await incidents(["redeliver", POOL_ID, "--sink", "slack"]);
  expect([none.code, none.out]).toEqual([0, `${POOL_ID}: no notice is dead at slack\n`]);
});

test("what stays dead is said with the reason, and by exit code 1", async () => {
  known.refusals = { pagerduty: "pagerduty refused the credentials (HTTP 401)" };
  const { code, out, err } = await incidents(["redeliver", POOL_ID]);
  const asJson = await incidents(["redeliver", POOL_ID, "--json"]);
  known.refusals = {};
  expect([code, err]).toEqual([1, ""]);
  expect(out).toBe(
    `${POOL_ID}: 0 sent, 1 still dead\n  change 1  pagerduty  dead  pagerduty refused the credentials (HTTP 401)\n`,
  );
  expect(asJson.code).toBe(1);
  expect(JSON.parse(asJson.out)).toMatchObject({
    kind: "redelivered",
    incident: POOL_ID,
    outcomes: [{ seq: 1, sink: "pagerduty", state: "dead" }],
  });
});

test.each<[string, string[], RegExp]>([
  ["an id of nobody", ["show", "ffff"], /there is no incident "ffff"/],
  ["an id of several", ["show", "01ad5b2e"], /"01ad5b2e" begins 2 incidents/],
  ["a silence of nobody", ["unsilence", "ffff"], /there is no silence "ffff"/],
])("%s: the agent's words, and exit code 1", async (_what, words, expected) => {
  const { code, out, err } = await incidents(words);
  expect([code, out]).toEqual([1, ""]);
  expect(err).toMatch(expected);
  expect(err.trim().split("\n")).toHaveLength(1);
});

test("without an SRE agent in the mesh: how to get one, and exit code 4", async () => {
  await using other = await startNats();
  const { code, out, err } = await petrel(["incidents", "--nats", other.url]);
  expect([code, out]).toEqual([4, ""]);
  expect(err).toContain("petrel up --role sre");
});

test("watch: what is there, then every change as it comes, and nothing twice", async () => {
  const main = join(import.meta.dir, "../../cli/main.ts");
  const words = ["incidents", "watch", "--every", "500ms", "--nats", nats.url];
  const child = Bun.spawn([process.execPath, main, ...words], { stdout: "pipe", stderr: "pipe" });
  let out = "";
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) out += text;
  })();
  await until("the list", () => out.includes("2 incidents"));
  const [first] = known.incidents;
  if (!first) throw new Error("there is one");
  const at = "2026-11-30T04:30:00.000Z";
  const text = "Five windows were quiet.";
  first.timeline.push({ seq: 3, kind: "resolved", at, text, deliveries: {} });
  first.updatedAt = at;
  await until("the change", () => out.includes("04:30:00Z"));
  known.incidents.push(poolIncident({ id: "01ad5b2e-9999-7000-8000-000000000009" }));
  await until("a new incident", () => out.includes("2026-11-30 03:17:05Z"));
  child.kill("SIGINT");
  await reading;
  expect(await child.exited).toBe(0);
  const id = "01ad5b2e-9999-7000-8000-000000000009";
  const what = "payment-service · database connection pool exhausted";
  expect(out.trimEnd().split("\n").slice(-3)).toEqual([
    `2026-11-30 04:30:00Z  resolved   ${POOL_ID}  ${what}: Five windows were quiet.`,
    `2026-11-30 03:12:05Z  opened     ${id}  ${what}: Seen in a window.`,
    `2026-11-30 03:17:05Z  updated    ${id}  ${what}: order-service suffers too.`,
  ]);
});
