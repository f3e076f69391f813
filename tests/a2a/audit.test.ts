import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { metaLine } from "../../a2a/audit/record.ts";
import { AUDIT_STREAM, type AuditRecord, packRecords, unpackRecords } from "../../a2a/mod.ts";
import { record } from "../support/audit-records.ts";
import { startNats } from "../support/nats.ts";
import { echo, openMesh, request, worker } from "./echo.ts";

const seed = Number(process.env.PETREL_TEST_SEED ?? 1);

test("whatever was packed comes out as it was", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.uuid(), fc.string({ unit: "binary" })), { maxLength: 20 }),
      (given) => {
        const records = given.map(([id, body]) =>
          record(id, "caller", Buffer.from(body).toString("utf8")),
        );
        expect(unpackRecords(packRecords(records))).toEqual(records);
      },
    ),
    { seed },
  );
});

test("a line is the JSON of its record's meta, whatever the fields hold and whose line was made before", () => {
  const text = fc.oneof(fc.constantFrom("a", "b"), fc.string({ unit: "binary", maxLength: 5 }));
  const optional = fc.option(text, { nil: undefined });
  const meta = fc.record({
    id: text,
    side: fc.constantFrom("caller" as const, "agent" as const),
    kind: fc.constantFrom("request" as const, "response" as const, "task" as const),
    method: text,
    caller: text,
    agent: text,
    instance: text,
    atMs: fc.double({ noNaN: true }),
    traceparent: optional,
    frame: optional,
    bytes: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(meta, { maxLength: 30 }), (metas) => {
      for (const one of metas)
        expect(metaLine({ ...one, body: "" })).toBe(`${JSON.stringify(one)}\n`);
    }),
    { seed },
  );
});

test("a pack that was cut or altered is refused with its place", () => {
  const pack = packRecords([record("one", "caller", "body"), record("two", "caller", "body")]);
  for (const bad of [
    pack.subarray(0, pack.length - 3),
    pack.subarray(1),
    new Uint8Array([1, 2, 3]),
  ]) {
    expect(() => unpackRecords(bad)).toThrow(/malformed at byte/);
  }
});

async function stored(mesh: Awaited<ReturnType<typeof openMesh>>): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  const { state } = await mesh.jsm.streams.info(AUDIT_STREAM);
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await mesh.jsm.streams.getMessage(AUDIT_STREAM, { seq });
    if (message) records.push(...unpackRecords(message.data));
  }
  return records;
}

test("both ends report every envelope under one id: request, response, each frame", async () => {
  await using nats = await startNats();
  const host = await openMesh(nats.url, "host");
  const client = await openMesh(nats.url, "client");
  await host.serve(echo);
  await host.serve(worker);
  await client.transport("echo").sendMessage(request({}));
  for await (const _event of client.transport("worker").sendMessageStream(request({ steps: 2 })))
    void _event;
  await Promise.all([host.outbox.drain(5_000), client.outbox.drain(5_000)]);
  const records = (await stored(client)).filter((each) => each.kind !== "task");
  const sides = Map.groupBy(records, (each) => each.id);
  // echo: request + response; worker: request + task, 2 steps, artifact, completed, end.
  expect(sides.size).toBe(2 + 7);
  for (const [id, reports] of sides) {
    expect([id, reports.map((each) => each.side).sort()]).toEqual([id, ["agent", "caller"]]);
    expect(new Set(reports.map((each) => each.body)).size).toBe(1);
  }
  await Promise.all([host.close(), client.close()]);
});

test("the server killed twice: everything reported is stored, once and in order", async () => {
  await using nats = await startNats();
  const mesh = await openMesh(nats.url, "host");
  const total = 3_000;
  for (let n = 0; n < total; n++) {
    await mesh.outbox.report(record(`r${n}`, "caller", `body ${n}`));
    if (n === 1_000 || n === 2_000) await nats.kill9().then(() => nats.restart());
  }
  await mesh.outbox.drain(30_000);
  const ids = (await stored(mesh)).map((each) => each.id);
  expect(ids).toEqual(Array.from({ length: total }, (_, n) => `r${n}`));
  await mesh.close();
}, 60_000);

test("nobody may delete from the audit stream", async () => {
  await using nats = await startNats();
  const mesh = await openMesh(nats.url, "host");
  await mesh.outbox.report(record("one", "caller", "body"));
  await mesh.outbox.drain(5_000);
  await expect(mesh.jsm.streams.deleteMessage(AUDIT_STREAM, 1)).rejects.toThrow(/not permitted/);
  await expect(mesh.jsm.streams.purge(AUDIT_STREAM)).rejects.toThrow(/not permitted/);
  await mesh.close();
});

test("a full outbox makes its owner wait, and lets it go on", async () => {
  await using nats = await startNats();
  const mesh = await openMesh(nats.url, "host");
  let waits = 0;
  for (let n = 0; n < 200; n++) {
    const wait = mesh.outbox.report(record(`r${n}`, "caller", "x".repeat(400_000)));
    if (wait) waits++;
    await wait;
  }
  expect(waits).toBeGreaterThan(0);
  await mesh.outbox.drain(20_000);
  expect(mesh.outbox.counts).toMatchObject({ reported: 200, stored: 200, pending: 0 });
  await mesh.close();
}, 60_000);
