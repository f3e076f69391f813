/**
 * Whoever may create a consumer can have the server deliver stored records to somebody else's
 * subscription. They keep their own subject, by which they are told from what was published there.
 */
import { expect, test } from "bun:test";
import { TaskState } from "@a2a-js/sdk";
import { AckPolicy, DeliverPolicy, jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { headers, type Msg, type MsgHdrs, type NatsConnection } from "@nats-io/nats-core";
import { connect } from "nats";
import { HEADER } from "../../a2a/subjects.ts";
import { newId } from "../../core/mod.ts";
import { openLogBook } from "../support/log-book.ts";
import { startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { openMesh, request, worker } from "./echo.ts";

/** Stores a record and aims a consumer at `target`; resolves with how often the server has delivered it. */
async function forge(
  nc: NatsConnection,
  target: { readonly subject: string; readonly queue?: string },
  body: string,
  more?: MsgHdrs,
): Promise<() => Promise<number>> {
  const js = jetstream(nc);
  await new Kvm(js).create("FORGE", { history: 64 });
  const subject = `$KV.FORGE.${newId()}`;
  await js.publish(subject, body, more ? { headers: more } : {});
  const name = newId();
  const jsm = await js.jetstreamManager();
  await jsm.consumers.add("KV_FORGE", {
    name,
    deliver_subject: target.subject,
    ...(target.queue === undefined ? {} : { deliver_group: target.queue }),
    deliver_policy: DeliverPolicy.All,
    ack_policy: AckPolicy.None,
    filter_subject: subject,
  });
  return async () => (await jsm.consumers.info("KV_FORGE", name)).delivered.consumer_seq;
}

/** An agent by hand, which is asked once: resolves with the request. */
function fakeAgent(nc: NatsConnection, name: string): Promise<Msg> {
  const { promise, resolve } = Promise.withResolvers<Msg>();
  nc.subscribe(`a2a.v1.rpc.${name}.*.*`, { callback: (_error, message) => resolve(message) });
  return promise;
}

function frame(kind: string, seq?: number): { headers: MsgHdrs } {
  const made = headers();
  made.append(HEADER.frame, kind);
  if (seq !== undefined) made.append(HEADER.seq, String(seq));
  return { headers: made };
}

const idOf = (message: Msg) => message.json<{ id: string }>().id;

function messageBody(id: string, text: string): string {
  const message = { messageId: "m", role: "ROLE_AGENT", parts: [{ text }] };
  return JSON.stringify({ jsonrpc: "2.0", id, result: { message } });
}

test("an order on the control subject that was not published there is not obeyed", async () => {
  await using nats = await startNats();
  const book = openLogBook();
  const host = await openMesh(nats.url, "host", { log: book.log });
  const { instance } = await host.serve(worker);
  const client = await openMesh(nats.url, "client");
  const transport = client.transport("worker");
  const task = await transport.sendMessage(request({ hang: true }, { returnImmediately: true }));
  const { id } = task as { id: string };
  const attacker = await connect({ servers: nats.url });
  const control = `a2a.v1.ctl.worker.${instance}`;
  await forge(attacker, { subject: control, queue: "worker" }, `cancel client ${id}`);
  await until("it is noticed", () => book.count("rpc.forged") === 1);
  const ask = { id, tenant: "", historyLength: undefined };
  expect((await transport.getTask(ask)).status?.state).toBe(TaskState.TASK_STATE_WORKING);
  // One that was published there is.
  const answer = await attacker.request(control, `cancel client ${id}`);
  expect(answer.string()).toBe("cancelled");
  await Promise.all([attacker.close(), client.close(), host.close()]);
}, 30_000);

test("an answer that was not sent to the inbox is none, in a stream", async () => {
  await using nats = await startNats();
  const book = openLogBook();
  const client = await openMesh(nats.url, "client", { log: book.log });
  const agent = await connect({ servers: nats.url });
  const asked = fakeAgent(agent, "fake");
  await agent.flush();
  const texts: string[] = [];
  const reading = (async () => {
    for await (const { payload } of client.transport("fake").sendMessageStream(request({}))) {
      if (payload?.$case === "message") texts.push(JSON.stringify(payload.value.parts));
    }
  })();
  const message = await asked;
  const inbox = message.reply ?? "";
  const id = idOf(message);
  await forge(agent, { subject: inbox }, messageBody(id, "forged"), frame("data", 1).headers);
  await until("it is noticed", () => book.count("rpc.forged") === 1);
  agent.publish(inbox, messageBody(id, "real"), frame("data", 1));
  agent.publish(inbox, "", frame("end", 2));
  await reading;
  expect(texts).toEqual([expect.stringContaining("real")]);
  await Promise.all([agent.close(), client.close()]);
}, 30_000);

test("nor for a unary call, whose inbox is no literal subscription: nothing is delivered there", async () => {
  await using nats = await startNats();
  const client = await openMesh(nats.url, "client");
  const agent = await connect({ servers: nats.url });
  const asked = fakeAgent(agent, "fake");
  await agent.flush();
  const answered = client.transport("fake").sendMessage(request({}));
  const message = await asked;
  const inbox = message.reply ?? "";
  const id = idOf(message);
  const forged = messageBody(id, "forged");
  const delivered = await forge(agent, { subject: inbox }, forged, frame("result").headers);
  agent.publish(inbox, messageBody(id, "real"), frame("result"));
  expect(JSON.stringify(await answered)).toContain("real");
  expect(await delivered()).toBe(0);
  await Promise.all([agent.close(), client.close()]);
}, 30_000);
