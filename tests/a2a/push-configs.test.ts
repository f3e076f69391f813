import { describe, expect, test } from "bun:test";
import { A2AError } from "@a2a-js/sdk/errors";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { connect } from "nats";
import { AddressGuard } from "../../a2a/push/address.ts";
import { PUSH_BUCKET, PUSH_CONFIGS_MAX, PushConfigs } from "../../a2a/push/configs.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { configOf } from "./push-support.ts";

const URL_OK = "https://hooks.example.com/hook";

interface Bench extends AsyncDisposable {
  readonly nats: NatsServer;
  readonly kv: KV;
  readonly configs: PushConfigs;
}

async function openBench(): Promise<Bench> {
  const nats = await startNats();
  const nc = await connect({ servers: nats.url });
  const jsm = await jetstreamManager(nc);
  const kv = await new Kvm(jetstream(nc)).create(PUSH_BUCKET, { history: 1, allow_direct: true });
  return {
    nats,
    kv,
    configs: new PushConfigs({ kv, jsm, agent: "worker", guard: new AddressGuard() }),
    [Symbol.asyncDispose]: async () => {
      await nc.close();
      await nats[Symbol.asyncDispose]();
    },
  };
}

function reasonOf(error: unknown): string {
  return error instanceof A2AError ? error.reason : String(error);
}

const failing = (work: Promise<unknown>) => work.then(() => "nothing was thrown", reasonOf);

describe("push notification configs", () => {
  test("created, read, listed, replaced, deleted; deleting twice is deleting once", async () => {
    await using bench = await openBench();
    const { configs } = bench;
    const full = configOf({
      url: URL_OK,
      token: "s3cr3t",
      authentication: { scheme: "Bearer", credentials: "t0ken" },
    });
    expect(await configs.create("owner", full, 7)).toEqual(full);
    expect(await configs.get("owner", full)).toEqual(full);
    expect((await configs.entries("owner", "t1"))[0]).toMatchObject({
      delivered: 7,
      state: "active",
    });
    const other = { ...full, url: "https://other.example.com/" };
    await configs.create("owner", other, 9);
    expect((await configs.entries("owner", "t1"))[0]).toMatchObject({
      delivered: 7,
      config: other,
    });
    await configs.delete("owner", full);
    await configs.delete("owner", full);
    expect(await failing(configs.get("owner", full))).toBe("TASK_NOT_FOUND");
    expect(await configs.create("owner", full, 3)).toEqual(full);
    expect((await configs.entries("owner", "t1"))[0]).toMatchObject({ delivered: 3 });
  });

  test("an id is minted where none is given; another owner and another task see nothing", async () => {
    await using bench = await openBench();
    const { configs } = bench;
    const made = await configs.create("owner", configOf({ id: "", url: URL_OK }));
    expect(made.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await failing(configs.get("other", made))).toBe("TASK_NOT_FOUND");
    expect(await failing(configs.get("owner", { ...made, taskId: "t2" }))).toBe("TASK_NOT_FOUND");
    await configs.delete("other", made);
    expect((await configs.list("owner", page(made.taskId))).configs).toHaveLength(1);
    expect((await configs.list("other", page(made.taskId))).configs).toEqual([]);
  });

  test("at most 16 of a task, also when they come at once; pages go through all of them", async () => {
    await using bench = await openBench();
    const { configs } = bench;
    const creating = Array.from({ length: 30 }, (_, n) =>
      configs.create("owner", configOf({ id: `c${n}`, url: URL_OK })),
    );
    const results = await Promise.allSettled(creating);
    const refused = results.filter(({ status }) => status === "rejected");
    expect(refused.length).toBeGreaterThanOrEqual(14);
    const room = PUSH_CONFIGS_MAX - (await configs.entries("owner", "t1")).length;
    expect(room).toBeGreaterThanOrEqual(0);
    for (let n = 0; n < room; n++) {
      await configs.create("owner", configOf({ id: `d${n}`, url: URL_OK }));
    }
    const full = configOf({ id: "one-more", url: URL_OK });
    expect(await failing(configs.create("owner", full))).toBe("INVALID_PARAMS");
    const seen: string[] = [];
    let pageToken = "";
    do {
      const answer = await configs.list("owner", { taskId: "t1", pageSize: 5, pageToken });
      seen.push(...answer.configs.map(({ id }) => id));
      pageToken = answer.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toHaveLength(PUSH_CONFIGS_MAX);
    expect(seen).toEqual([...new Set(seen)].sort());
  });

  test("bad input: the error names the field and repeats no secret", async () => {
    await using bench = await openBench();
    const bad: readonly [string, object][] = [
      ["id", { id: "a.b" }],
      ["id", { id: "x".repeat(129) }],
      ["id", { id: "*" }],
      ["taskId", { taskId: "" }],
      ["taskId", { taskId: "t.1" }],
      ["url", { url: "" }],
      ["url", { url: "http://hooks.example.com/" }],
      ["url", { url: "https://127.0.0.1/s3cr3t" }],
      ["url", { url: "https://169.254.169.254/latest/meta-data/" }],
      ["tenant", { tenant: "x".repeat(300) }],
      ["token", { token: "s3cr3t\r\nx-evil: 1" }],
      ["token", { token: `s3cr3t${"x".repeat(5_000)}` }],
      ["authentication.scheme", { authentication: { scheme: "Bearer x", credentials: "s3cr3t" } }],
      ["authentication.scheme", { authentication: { scheme: "", credentials: "s3cr3t" } }],
      [
        "authentication.credentials",
        { authentication: { scheme: "Bearer", credentials: "s3cr3t\nx" } },
      ],
    ];
    for (const [field, more] of bad) {
      const error = await bench.configs
        .create("owner", configOf({ url: URL_OK, ...more }))
        .catch((thrown: unknown) => thrown);
      expect([field, reasonOf(error), String(error)]).toEqual([
        field,
        "INVALID_PARAMS",
        expect.stringContaining(`${field}: `),
      ]);
      expect(String(error)).not.toContain("s3cr3t");
    }
    const list = (more: object) => bench.configs.list("owner", { ...page("t1"), ...more });
    expect(await failing(list({ pageSize: -1 }))).toBe("INVALID_PARAMS");
    expect(await failing(list({ pageSize: 1.5 }))).toBe("INVALID_PARAMS");
    for (const pageToken of ["junk!", "Li4u", Buffer.from("a.b").toString("base64url")]) {
      expect(await failing(list({ pageToken }))).toBe("INVALID_PARAMS");
    }
    expect((await list({ taskId: "no.such > task" })).configs).toEqual([]);
    expect(await failing(bench.configs.get("owner", { taskId: "t1", id: "a.b" }))).toBe(
      "TASK_NOT_FOUND",
    );
    await bench.configs.delete("owner", { taskId: "*", id: ">" });
  });

  test("of two that change an entry one wins; what is no entry is none", async () => {
    await using bench = await openBench();
    const { configs, kv } = bench;
    await configs.create("owner", configOf({ url: URL_OK }));
    const [entry] = await configs.entries("owner", "t1");
    const both = [
      configs.replace(entry!, { holder: "a" }),
      configs.replace(entry!, { holder: "b" }),
    ];
    const won = (await Promise.all(both)).filter((result) => result !== undefined);
    expect(won).toHaveLength(1);
    await configs.remove(entry!);
    expect(await configs.reread(entry!)).toMatchObject({ holder: won[0]!.holder });
    await configs.remove(won[0]!);
    expect(await configs.reread(entry!)).toBeUndefined();
    expect(await configs.replace(won[0]!, { delivered: 5 })).toBeUndefined();
    for (const junk of ["junk", "{}", '{"config":{},"delivered":-1}']) {
      await kv.put("worker.owner.t1.c9", junk);
      expect(await configs.entries("owner", "t1")).toEqual([]);
    }
  });
});

function page(taskId: string) {
  return { taskId, pageSize: 0, pageToken: "" };
}

test("none is missing from the list while its entry is written all the time", async () => {
  await using bench = await openBench();
  const { configs } = bench;
  for (const id of ["a", "b", "c"]) await configs.create("owner", configOf({ id, url: URL_OK }));
  const done = new AbortController();
  const writing = ["a", "b", "c"].map(async (id) => {
    let [entry] = (await configs.entries("owner", "t1")).filter(({ config }) => config.id === id);
    while (!done.signal.aborted && entry)
      entry = await configs.replace(entry, { delivered: entry.delivered + 1 });
  });
  for (let n = 0; n < 200; n++) expect(await configs.entries("owner", "t1")).toHaveLength(3);
  done.abort();
  await Promise.all(writing);
});

test("a client that makes and deletes without end is stopped", async () => {
  await using bench = await openBench();
  let made = 0;
  const making = async () => {
    for (; made < 1_000; made++) {
      const config = configOf({ id: `c${made}`, url: URL_OK });
      await bench.configs.create("owner", config);
      await bench.configs.delete("owner", config);
    }
  };
  expect(await failing(making())).toBe("INVALID_PARAMS");
  expect(made).toBeLessThan(300);
});
