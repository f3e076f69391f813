/**
 * Tasks under the permissions of deploy/nats: nobody reads or writes the log of another agent's tasks, nor
 * what hangs on it, by no subject and by no body.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { headers, type NatsConnection } from "@nats-io/nats-core";
import { connect } from "nats";
import { messageOf } from "../../core/mod.ts";
import { makeMeshStorage } from "../support/mesh-storage.ts";
import { type NatsServer, productionAccounts, startNats } from "../support/nats.ts";

const LOG = "A2A_TASK_LOG";
const SECRET = "what only sre knows";
const OWN = "what splunk wrote";
/** A task of sre, and one of splunk. */
const THEIRS = "a2a.v1.task.sre.cli.t1";
const OURS = "a2a.v1.task.splunk.cli.t1";

let nats: NatsServer;
const users = new Map<string, NatsConnection>();

async function as(user: string, inbox = user): Promise<NatsConnection> {
  const known = users.get(user);
  if (known) return known;
  const inboxPrefix = `a2a.v1.reply.${inbox}`;
  const nc = await connect({ servers: nats.url, user, pass: user, inboxPrefix });
  users.set(user, nc);
  return nc;
}

/** What a request is answered with, or the error. */
async function outcomeOf(nc: NatsConnection, subject: string, body: unknown = ""): Promise<string> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return nc.request(subject, text, { timeout: 2_000 }).then(
    (answer) => `${answer.headers?.code ?? 0} ${answer.string()}`,
    (error: unknown) => messageOf(error),
  );
}

const logOf = async () => {
  const jsm = await jetstream(await as("admin")).jetstreamManager();
  return (await jsm.streams.info(LOG, { subjects_filter: ">" })).state;
};

beforeAll(async () => {
  nats = await startNats(await productionAccounts());
  await makeMeshStorage(await as("admin"));
  for (const [user, subject, text] of [
    ["sre", THEIRS, SECRET],
    ["splunk", OURS, OWN],
  ] as const) {
    const js = jetstream(await as(user), { checkAPI: false });
    await js.publish(subject, text);
    const kvm = new Kvm(js);
    await (await kvm.create("A2A_TASKS")).put(`${user}.cli.t1`, text);
    await (await kvm.create("A2A_PUSH")).put(`${user}.cli.t1.c1`, text);
  }
});
afterAll(async () => {
  await Promise.all([...users.values()].map((nc) => nc.close()));
  await nats?.[Symbol.asyncDispose]();
});

const READS: readonly (readonly [subject: string, body: unknown])[] = [
  [`$JS.API.DIRECT.GET.${LOG}.${THEIRS}`, ""],
  [`$JS.API.DIRECT.GET.${LOG}.a2a.v1.task.*.*.*`, ""],
  [`$JS.API.DIRECT.GET.${LOG}.a2a.v1.task.>`, ""],
  [`$JS.API.DIRECT.GET.${LOG}`, { seq: 1 }],
  [`$JS.API.DIRECT.GET.${LOG}`, { last_by_subj: THEIRS }],
  [`$JS.API.STREAM.MSG.GET.${LOG}`, { last_by_subj: THEIRS }],
  [`$JS.API.STREAM.SNAPSHOT.${LOG}`, { deliver_subject: "a2a.v1.reply.splunk.s" }],
  ...[THEIRS, "a2a.v1.task.sre.*.*", "a2a.v1.task.*.*.*", "a2a.v1.task.>", ">"].map(
    (filter) => [`$JS.API.CONSUMER.CREATE.${LOG}.c.${filter}`, consumer(filter)] as const,
  ),
  [`$JS.API.CONSUMER.CREATE.${LOG}.c`, consumer()],
  [`$JS.API.CONSUMER.CREATE.${LOG}`, consumer()],
  [`$JS.API.CONSUMER.DURABLE.CREATE.${LOG}.c`, consumer()],
  [`$JS.API.CONSUMER.NAMES.${LOG}`, ""],
  [`$JS.API.CONSUMER.LIST.${LOG}`, ""],
  ["$JS.API.DIRECT.GET.KV_A2A_TASKS.$KV.A2A_TASKS.sre.cli.t1", ""],
  ["$JS.API.STREAM.MSG.GET.KV_A2A_TASKS", { seq: 1 }],
  ["$JS.API.CONSUMER.CREATE.KV_A2A_TASKS.c.$KV.A2A_TASKS.sre.>", ""],
  ["$JS.API.CONSUMER.CREATE.KV_A2A_TASKS.c.$KV.A2A_TASKS.>", ""],
  ["$JS.API.CONSUMER.CREATE.KV_A2A_TASKS.c", ""],
  ["$JS.API.DIRECT.GET.KV_A2A_PUSH.$KV.A2A_PUSH.sre.cli.t1.c1", ""],
  ["$JS.API.STREAM.MSG.GET.KV_A2A_PUSH", { seq: 1 }],
  ["$JS.API.CONSUMER.CREATE.KV_A2A_PUSH.c.$KV.A2A_PUSH.sre.>", ""],
  ["$JS.API.CONSUMER.CREATE.KV_A2A_PUSH.c.$KV.A2A_PUSH.>", ""],
];

const WRITES: readonly string[] = [
  THEIRS,
  "a2a.v1.task.sre.cli.new",
  "$KV.A2A_TASKS.sre.cli.t1",
  "$KV.A2A_PUSH.sre.cli.t1.c1",
  "$KV.A2A_EXTERNAL.partner",
  "a2a.v1.ctl.sre.i1",
  "a2a.v1.rpc.sre.splunk.SendMessage",
  "a2a.v1.skill.investigate.splunk.SendMessage",
  ...[LOG, "KV_A2A_TASKS", "KV_A2A_PUSH", "OBJ_A2A_ARTIFACTS"].flatMap((stream) =>
    ["PURGE", "DELETE", "UPDATE", "CREATE", "MSG.DELETE"].map(
      (verb) => `$JS.API.STREAM.${verb}.${stream}`,
    ),
  ),
];

function consumer(filter?: string, more: object = {}) {
  const config = { name: "c", ack_policy: "none", deliver_policy: "all", ...more };
  const filtered = filter === undefined ? config : { ...config, filter_subject: filter };
  return { stream_name: LOG, config: filtered };
}

describe("another agent", () => {
  test.each(READS)("reads nothing by %s", async (subject, body) => {
    expect(await outcomeOf(await as("splunk"), subject, body)).toContain("Permissions Violation");
  });

  test.each(WRITES)("writes nothing by %s", async (subject) => {
    expect(await outcomeOf(await as("splunk"), subject)).toContain("Permissions Violation");
  });

  const HEARD = ["a2a.v1.task.>", THEIRS, "a2a.v1.skill.investigate.*.*", "$KV.A2A_TASKS.>"];
  test.each([...HEARD, "$KV.A2A_PUSH.>", "$O.>"])("does not listen on %s", async (subject) => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    (await as("splunk")).subscribe(subject, { callback: (error) => resolve(error) });
    expect(messageOf(await promise)).toContain("Permissions Violation for Subscription");
  });
});

/** What an agent alone says and keeps. */
const OF_AGENTS = [THEIRS, "a2a.v1.rpc.splunk.sre.SendMessage", "a2a.v1.ctl.sre.i1"];
const KEPT = ["$KV.A2A_TASKS.sre.cli.t1", "$KV.A2A_PUSH.sre.cli.t1.c1", "$KV.A2A_CARDS.sre.i1"];

test.each([
  ["cli", "cli", [...OF_AGENTS, ...KEPT, "$O.A2A_ARTIFACTS.M.x"]],
  ["gateway", "gateway", [...OF_AGENTS, ...KEPT, "$O.A2A_ARTIFACTS.M.x", "$KV.A2A_EXTERNAL.x"]],
  ["inspector", "cli", [...OF_AGENTS, ...KEPT, "$O.A2A_ARTIFACTS.M.x", "$KV.A2A_EXTERNAL.x"]],
  ["admin", "admin", OF_AGENTS],
])("%s writes into no log of a task, and speaks as no agent", async (user, inbox, subjects) => {
  for (const subject of subjects)
    expect(await outcomeOf(await as(user, inbox), subject, "forged")).toContain(
      "Permissions Violation",
    );
});

test.each([
  ["cli", "cli"],
  ["gateway", "gateway"],
])("%s asks agents, and reads no log", async (user, inbox) => {
  const nc = await as(user, inbox);
  for (const [subject, body] of READS)
    expect(await outcomeOf(nc, subject, body)).toContain("Permissions Violation");
});

describe("a body that asks for more than its subject", () => {
  const create = `$JS.API.CONSUMER.CREATE.${LOG}.c.a2a.v1.task.splunk.*.*`;
  const mine = "a2a.v1.task.splunk.*.*";

  test.each([
    ["another filter", consumer("a2a.v1.task.sre.*.*")],
    ["no filter", consumer()],
    ["more filters", consumer(undefined, { filter_subjects: [mine, "a2a.v1.task.sre.*.*"] })],
    ["both", consumer(mine, { filter_subjects: ["a2a.v1.task.sre.*.*"] })],
    ["another stream", { ...consumer(mine), stream_name: "KV_A2A_TASKS" }],
  ])("a consumer with %s is refused", async (_what, body: unknown) => {
    const answer = await outcomeOf(await as("splunk"), create, body);
    expect(answer).toMatch(/"error":\{"code":\d+/);
    const jsm = await jetstream(await as("admin")).jetstreamManager();
    expect((await jsm.consumers.list(LOG).next()).map(({ name }) => name)).toEqual([]);
  });

  test.each([
    ["a sequence", { seq: 1 }],
    ["another subject", { last_by_subj: THEIRS }],
    ["what comes next", { next_by_subj: THEIRS, seq: 1 }],
    ["several subjects", { multi_last: [THEIRS], batch: 10 }],
  ])("a direct get of our own that names %s does not give theirs", async (_what, body) => {
    const nc = await as("splunk");
    const answer = await outcomeOf(nc, `$JS.API.DIRECT.GET.${LOG}.${OURS}`, body);
    expect(answer).not.toContain(SECRET);
  });

  test("the same without tricks works", async () => {
    const nc = await as("splunk");
    expect(await outcomeOf(nc, `$JS.API.DIRECT.GET.${LOG}.${OURS}`)).toBe(`0 ${OWN}`);
    const { consumers } = jetstream(nc, { checkAPI: false });
    const reader = await consumers.get(LOG, { filter_subjects: mine });
    expect((await reader.next())?.string()).toBe(OWN);
    expect(await reader.delete()).toBe(true);
  });
});

test("a consumer on one's own records writes into no other's log, whatever it is aimed at", async () => {
  const nc = await as("splunk");
  const before = await logOf();
  for (const [at, target] of [THEIRS, "$KV.A2A_TASKS.sre.cli.t1", OURS].entries()) {
    const name = `aimed${at}`;
    const body = consumer("a2a.v1.task.splunk.*.*", { name, deliver_subject: target });
    await outcomeOf(nc, `$JS.API.CONSUMER.CREATE.${LOG}.${name}.a2a.v1.task.splunk.*.*`, body);
  }
  await jetstream(nc, { checkAPI: false }).publish("a2a.v1.task.splunk.cli.t2", "after");
  const after = await logOf();
  expect(after.messages).toBe(before.messages + 1);
  expect(after.subjects?.[THEIRS]).toBe(1);
  const kv = await new Kvm(jetstream(await as("admin"))).open("A2A_TASKS");
  expect((await kv.get("sre.cli.t1"))?.string()).toBe(SECRET);
});

test("a record that is stored is neither replaced nor rolled up by its own agent", async () => {
  const js = jetstream(await as("splunk"), { checkAPI: false });
  const behind = { expect: { lastSubjectSequence: 0 } };
  await expect(js.publish(OURS, "again", behind)).rejects.toThrow(/wrong last sequence/);
  const rollup = headers();
  rollup.set("Nats-Rollup", "all");
  await expect(js.publish(OURS, "x", { headers: rollup })).rejects.toThrow(/rollup not permitted/);
});
