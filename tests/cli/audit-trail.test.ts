/** `petrel audit` over a trail that real agents left in a real NATS, and a bridge in a real Kafka. */
import { afterAll, describe, expect } from "bun:test";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoredMsg } from "@nats-io/jetstream";
import { Kafka, logLevel } from "kafkajs";
import { findTask, type Mesh } from "../../a2a/mod.ts";
import { generateKey, newKeyring, saveKey } from "../../bridge/mod.ts";
import { serveBridge } from "../../cli/bridge.ts";
import { parseConfig, silentLogger } from "../../core/mod.ts";
import { openMesh, request, worker } from "../a2a/echo.ts";
import { sharedKafka, testWithKafka } from "../support/kafka.ts";
import { startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { ask } from "./audit-ask.ts";

const test = await testWithKafka();
const CARD = "4111 1111 1111 1111";

let stack: AsyncDisposableStack;
let dir: string;
let config: string;
let brokers: readonly string[];
let prefix: string;
let client: Mesh;
/** Two tasks of one context, and the span in which they ran. */
let tasks: readonly { readonly id: string; readonly contextId: string }[];
let span: { readonly from: string; readonly to: string };

const file = (name: string) => join(dir, name);
/** A verb and its words, with the configuration and the keys where they belong. */
const petrel = (verb: string, ...words: string[]) => ask([verb, "--config", config, ...words]);
const json = async (verb: string, ...words: string[]): Promise<unknown> =>
  JSON.parse((await petrel(verb, ...words, "--json")).out);
const verify = (...words: string[]) =>
  petrel("verify", "--keys", file("ring"), "--checkpoints", file("checkpoints.jsonl"), ...words);

test("a trail is made", async () => {
  stack = new AsyncDisposableStack();
  const kafka = await sharedKafka();
  const nats = stack.use(await startNats());
  dir = await mkdtemp(join(tmpdir(), "petrel-audit-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const key = generateKey("petrel/test");
  await saveKey(file("key"), key);
  await writeFile(file("ring"), newKeyring(key.vkey, 0));
  await writeFile(file("redaction"), new Uint8Array(32).fill(7));
  ({ brokers } = kafka);
  prefix = `${kafka.prefix}audit`;
  const settings = {
    nats: { servers: [nats.url] },
    kafka: { brokers },
    audit: { redaction: { key_file: file("redaction") } },
    bridge: {
      topics: { prefix, partitions: 3 },
      record_bytes_max: 8_192,
      checkpoint: { every: "50ms", key_file: file("key"), file: file("checkpoints.jsonl") },
    },
  };
  config = file("petrel.yaml");
  await writeFile(config, JSON.stringify(settings));
  await work(nats.url);
  await carry(JSON.stringify(settings));
}, 60_000);

afterAll(async () => stack?.disposeAsync());

/** Two tasks, the second with a card number and a body too large for a record. */
async function work(url: string): Promise<void> {
  const host = await openMesh(url, "worker");
  client = await openMesh(url, "client");
  stack.defer(() => client.close());
  await host.serve(worker);
  // Sequence 1 is before there was a task.
  await client.reportAlarm("before", "{}");
  await client.outbox.drain(5_000);
  const from = new Date().toISOString();
  const send = async (data: unknown, contextId?: string) => {
    const asked = request(data);
    if (asked.message && contextId !== undefined) asked.message.contextId = contextId;
    const task = await client.transport("worker").sendMessage(asked);
    if (!("status" in task)) throw new Error("the worker answers with a task");
    return { id: task.id, contextId: task.contextId };
  };
  const first = await send({ steps: 2, artifact: "small" });
  tasks = [first, await send({ artifact: `${CARD} ${"x".repeat(10_000)}` }, first.contextId)];
  await Promise.all([host.outbox.drain(5_000), client.outbox.drain(5_000)]);
  await host.close();
  span = { from, to: new Date(Date.now() + 60_000).toISOString() };
}

/** Runs a bridge until all is in Kafka, and signed. */
async function carry(text: string): Promise<void> {
  const stop = new AbortController();
  const bridge = await serveBridge(parseConfig(text, {}, "test"), silentLogger, {}, stop.signal);
  const signed = async () => {
    const notes = await readFile(file("checkpoints.jsonl"), "utf8").catch(() => "");
    const { state } = await client.jsm.streams.info("AUDIT");
    const [status] = bridge.status();
    const last = notes.trimEnd().split("\n").at(-1) ?? "";
    return (
      status !== undefined &&
      status.nextSeq > state.last_seq &&
      last.includes(`\\n${status.size}\\n`)
    );
  };
  await until("all is in Kafka and signed", signed);
  stop.abort();
  await bridge.done;
}

const first = () => tasks[0]?.id ?? "";
const second = () => tasks[1]?.id ?? "";

describe("reading", () => {
  test("tail shows every record by leaf, from Kafka; both ends' reports from JetStream", async () => {
    const { out } = await petrel("tail", "--from-kafka", "--json");
    const leaves = out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { kafka: { leaf: number } }).kafka.leaf);
    expect(leaves).toEqual(leaves.map((_, at) => at));
    expect(out).not.toContain("4111 1111");
    expect((await petrel("tail", "--from-kafka")).out).toMatch(/client → worker .* leaf 1\n/);
    expect((await petrel("tail")).out).toMatch(/caller client → worker/);
    expect((await petrel("tail", "--from-kafka", "--from", "999999")).out).toBe("");
    expect(await json("tally")).toMatchObject({ halfReported: 0, malformedPacks: 0 });
  });

  test("tail --follow goes on in the same order until it is stopped", async () => {
    const all = (await petrel("tail", "--from-kafka", "--json")).out;
    const stop = new AbortController();
    let seen = "";
    const following = ask(
      ["tail", "--config", config, "--from-kafka", "--follow", "--json"],
      stop.signal,
    );
    const { stdout } = process;
    await until("all records are shown", () => {
      seen = (stdout.write as unknown as { mock: { calls: string[][] } }).mock.calls.join("");
      return seen.length >= all.length;
    });
    stop.abort();
    expect((await following).out).toBe(all);
  });

  test("show tells of a task, a call and an envelope, with their places", async () => {
    const task = await petrel("show", first());
    expect(task.code).toBe(0);
    expect(task.out).toMatch(/client → worker +SendMessage +request/);
    expect(task.out).toMatch(
      new RegExp(
        `worker +SendMessage +task +ok +${first()}\\.e5 +AUDIT:\\d+ +${prefix}.events/\\d/\\d+ leaf \\d+`,
      ),
    );
    const event = await petrel("show", `${first()}.e1`);
    expect(event.out).toMatch(/^envelope +.*\.e1\n/);
    expect(event.out).toMatch(/^who +client asked worker$/m);
    expect(event.out).toMatch(/^Kafka +.* leaf \d+ of AUDIT\.0$/m);
    expect((await petrel("show", "nobody")).code).toBe(1);
    const fromStream = await petrel("show", first(), "--from-jetstream");
    expect(fromStream.out).toContain("JetStream");
  });

  test("a hostile id is only printed", async () => {
    const { out, code } = await petrel("show", "\x1b[2J\u202eevil");
    expect([code, out]).toEqual([1, expect.stringContaining("belongs to [2J evil")]);
  });
});

interface Said {
  readonly tasks: readonly { task: unknown; basis: string; live: { outcome: string } }[];
}

describe("replay", () => {
  test("the same task from Kafka and from JetStream, and as the mesh has it", async () => {
    const kafka = (await json("replay", "--task", first(), "--diff-live")) as Said;
    const stream = (await json("replay", "--task", first(), "--from-jetstream")) as Said;
    expect(kafka.tasks).toHaveLength(1);
    expect(kafka.tasks[0]).toMatchObject({ basis: "events", live: { outcome: "same" } });
    expect(stream.tasks[0]?.task).toEqual(kafka.tasks[0]?.task);
    const { code, out } = await petrel("replay", "--task", first(), "--diff-live");
    expect([code, out]).toEqual([
      0,
      expect.stringContaining("the same as the live task (completed"),
    ]);
  });

  test("at a moment: as of a sequence, as of a time", async () => {
    const before = await petrel("replay", "--task", first(), "--seq", "1");
    expect([before.code, before.out]).toEqual([1, expect.stringContaining("no task")]);
    expect((await petrel("replay", "--task", first(), "--until", span.from)).code).toBe(1);
    const after = await petrel("replay", "--task", first(), "--until", span.to);
    expect(after.out).toMatch(/state +completed · done/);
  });

  test("a body in the object store is fetched, and its secrets are tokens", async () => {
    const { code, out } = await petrel("replay", "--task", second(), "--diff-live", "--json");
    expect(code).toBe(0);
    expect(out).toContain("[card:");
    expect(out).not.toContain("4111");
    expect(JSON.parse(out)).toMatchObject({ tasks: [{ notes: [], live: { outcome: "same" } }] });
  });

  test("a context brings all its tasks, with the conversation", async () => {
    const said = (await json("replay", "--context", tasks[0]?.contextId ?? "")) as {
      tasks: { taskId: string }[];
      envelopes: { event: { type: string } }[];
    };
    expect(said.tasks.map(({ taskId }) => taskId)).toEqual([first(), second()]);
    const types = said.envelopes.map(({ event }) => event.type);
    expect(types.filter((type) => type.endsWith(".request.v1"))).toHaveLength(2);
  });

  test("a live task that says something else, and one that expired", async () => {
    const { streams } = client.jsm;
    const filter = `a2a.v1.task.worker.client.${second()}`;
    const records: StoredMsg[] = [];
    const { state } = await streams.info("A2A_TASK_LOG");
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const record = await streams.getMessage("A2A_TASK_LOG", { seq });
      if (record?.subject === filter) records.push(record);
    }
    await streams.purge("A2A_TASK_LOG", { filter });
    for (const { data, header } of records) {
      header.delete("Nats-Expected-Last-Subject-Sequence");
      const text = Buffer.from(data).toString();
      const forged = text.replaceAll('"name":"result"', '"name":"forged"');
      await client.js.publish(filter, forged, { headers: header });
    }
    const changed = await petrel("replay", "--task", second(), "--diff-live");
    expect([changed.code, changed.out]).toEqual([
      1,
      expect.stringMatching(/differs .* in 1 place\n/),
    ]);
    expect(changed.out).toMatch(/artifacts\[0\]\.name +audit "result" +live "forged"/);
    await streams.purge("A2A_TASK_LOG", { filter });
    const expired = await petrel("replay", "--task", second(), "--diff-live");
    expect([expired.code, expired.out]).toEqual([4, expect.stringContaining("no live task")]);
  });
});

describe("proof", () => {
  test("a record is proven to somebody who has the file and the keyring alone", async () => {
    const made = await petrel("proof", "inclusion", "--envelope", `${first()}.e5`);
    expect(made.code).toBe(2);
    const words = ["inclusion", "--config", config, "--envelope", `${first()}.e5`];
    const proof = await ask(["proof", ...words, "--out", file("proof.json")]);
    expect([proof.code, proof.err]).toEqual([0, ""]);
    const check = (...more: string[]) => ask(["proof", "check", file("proof.json"), ...more]);
    const good = await check("--keys", file("ring"));
    expect([good.code, good.out]).toEqual([
      0,
      expect.stringMatching(/HOLDS {2}signed by petrel\/test/),
    ]);
    expect((await check()).out).toContain("no keys were given");
    const text = await readFile(file("proof.json"), "utf8");
    await writeFile(file("proof.json"), text.replace(/"timestampMs":\d/, '"timestampMs":2'));
    const forged = await check("--keys", file("ring"));
    expect([forged.code, forged.out]).toEqual([1, expect.stringContaining("DOES NOT HOLD")]);
    expect((await ask(["proof", ...words, "--out", file("proof.json")])).code).toBe(2);
  });

  test("a tree goes on from every smaller one; without a checkpoint that is not vouched for", async () => {
    const { reports } = (await json("verify", "--keys", file("ring"))) as {
      reports: { size: number }[];
    };
    const size = reports[0]?.size ?? 0;
    const grown = ["consistency", "--config", config, "--from", "3", "--to", String(size)];
    expect((await ask(["proof", ...grown, "--out", file("grown.json")])).code).toBe(0);
    const checked = await ask(["proof", "check", file("grown.json"), "--json"]);
    expect(JSON.parse(checked.out)).toMatchObject({ holds: true, isGood: false });
    const beyond = ["consistency", "--config", config, "--from", "3", "--to", "99999"];
    expect((await ask(["proof", ...beyond])).err).toMatch(/not of 99999/);
    const none = ["inclusion", "--config", config, "--leaf", "99999"];
    expect(await ask(["proof", ...none])).toMatchObject({ code: 5, out: "" });
  });
});

test("an export is whole by its own manifest, and by its leaves", async () => {
  const words = ["--from", span.from, "--to", span.to];
  const { code } = await petrel("export", ...words, "--out", file("out.jsonl"));
  expect(code).toBe(0);
  const text = await readFile(file("out.jsonl"), "utf8");
  const lines = text.trimEnd().split("\n");
  const manifest = JSON.parse(lines.at(-1) ?? "") as { sha256: string; records: number };
  const body = text.slice(0, text.lastIndexOf('{"manifest"'));
  expect(new Bun.CryptoHasher("sha256").update(body).digest("hex")).toBe(manifest.sha256);
  expect(manifest).toMatchObject({ records: lines.length - 1, redaction: ["petrel-redact/2+k1"] });
  expect(text).not.toContain("4111 1111");
  const none = await petrel("export", "--from", "1000000000000", "--to", "1000000000001");
  expect(JSON.parse(none.out)).toMatchObject({ records: 0, topics: {} });
});

test("gaps: none, and how far Kafka is behind", async () => {
  const { code, out } = await petrel("gaps");
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/^no gaps .*\nshard 0 +next sequence \d+ · /),
  ]);
  expect((await petrel("gaps", "--from-jetstream")).code).toBe(0);
});

describe("verify", () => {
  test("what was written is verified, against JetStream too", async () => {
    const { code, out } = await verify("--against-jetstream");
    expect(out).toMatch(/^VERIFIED {2}\d+ records · tree size \d+ · \d+ checkpoints · root /m);
    expect(out).toMatch(/JetStream +\d+ leaves made again are the same/);
    expect(code).toBe(0);
    const without = await petrel("verify");
    expect([without.code, without.out]).toEqual([
      0,
      expect.stringContaining("not proven: no keys"),
    ]);
    expect((await petrel("verify", "--shard", "7")).code).toBe(4);
  });

  test("a checkpoint of another key, or a line that is none, is named with its place", async () => {
    const other = generateKey("petrel/test");
    await writeFile(file("other"), newKeyring(other.vkey, 0));
    const strange = await petrel("verify", "--keys", file("other"));
    expect([strange.code, strange.out]).toEqual([1, expect.stringContaining("checkpoint-invalid")]);
    const kept = await readFile(file("checkpoints.jsonl"), "utf8");
    await appendFile(file("checkpoints.jsonl"), "junk\n");
    const line = kept.split("\n").length;
    const { code, out } = await verify();
    expect([code, out]).toEqual([1, expect.stringContaining(`checkpoints.jsonl:${line}`)]);
    await writeFile(file("checkpoints.jsonl"), kept);
  });

  test("without a broker it says so, and the rest reads JetStream", async () => {
    const text = JSON.parse(await readFile(config, "utf8")) as { kafka: object };
    await writeFile(
      file("away.yaml"),
      JSON.stringify({ ...text, kafka: { brokers: ["127.0.0.1:1"] } }),
    );
    const shown = await ask(["show", first(), "--config", file("away.yaml")]);
    expect([shown.code, shown.err]).toEqual([
      0,
      expect.stringContaining("reading JetStream instead"),
    ]);
    const gone = await ask(["gaps", "--config", file("away.yaml"), "--from-kafka"]);
    expect(gone).toMatchObject({ code: 4, out: "" });
  }, 60_000);

  test("a record that somebody added is named with its place, and replay is not misled", async () => {
    const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    const { entries } = (await json("show", `${first()}.e5`)) as {
      entries: {
        event: { key: string };
        kafka: { topic: string; partition: number; offset: number };
      }[];
    };
    const place = entries[0]?.kafka;
    const forged = await forgery(`${first()}.e5`);
    await producer.send({
      topic: place?.topic ?? "",
      messages: [{ ...forged, partition: place?.partition ?? 0 }],
    });
    await producer.disconnect();
    const { code, out } = await verify();
    expect(out).toMatch(
      new RegExp(`added +the record at ${prefix}.events/\\d/\\d+ is a second record for leaf`),
    );
    expect([code, out]).toEqual([1, expect.stringMatching(/^TAMPERED {2}1 finding /m)]);
    const replayed = await petrel("replay", "--task", first());
    expect(replayed.out).toMatch(/state +completed · done/);
    expect(replayed.out).toContain("event 5 after event 5: passed over");
  });
});

/** The record of an envelope with another outcome. */
async function forgery(envelope: string) {
  const words = ["proof", "inclusion", "--config", config, "--envelope", envelope];
  const { record } = JSON.parse((await ask(words)).out) as {
    record: { key: string; headers: Record<string, string>; valueBase64: string };
  };
  const value = Buffer.from(record.valueBase64, "base64").toString().replace("COMPLETED", "FAILED");
  return { key: record.key, headers: record.headers, value };
}

test("a record beyond the ledger's end that no batch wrote is named", async () => {
  const forged = await forgery(`${first()}.e4`);
  const headers = { ...forged.headers, ce_sequence: "0000000000099999" };
  const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic: `${prefix}.notices`, messages: [{ ...forged, headers }] });
  await producer.disconnect();
  const { code, out } = await verify();
  expect([code, out]).toEqual([1, expect.stringContaining("1 records claim leaves beyond")]);
}, 30_000);

test("a task that has not ended is compared after the last event that both have", async () => {
  const { servers } = (
    JSON.parse(await readFile(config, "utf8")) as { nats: { servers: string[] } }
  ).nats;
  const host = await openMesh(servers[0] ?? "", "worker");
  await host.serve(worker);
  const plan = request({ steps: 2, hang: true }, { returnImmediately: true });
  const task = await client.transport("worker").sendMessage(plan);
  if (!("status" in task)) throw new Error("the worker answers with a task");
  const { id } = task;
  const wanted = { js: client.js, agent: "worker", taskId: id };
  await until("its steps", async () => (await findTask(wanted))?.lastEvent === 3);
  await host.outbox.drain(5_000);
  const { code, out } = await petrel("replay", "--task", id, "--from-jetstream", "--diff-live");
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(
      /the same as the live task \(working, .*\), which has not ended: both after event 3\n/,
    ),
  ]);
  await host.close();
});
