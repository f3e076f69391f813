/**
 * An agent written from docs/binding-nats.md alone, over a NATS library. Nothing of a2a/ is used but the
 * mesh that lends it the registry's bucket.
 */
import { headers, type Msg, type MsgHdrs, type NatsConnection } from "@nats-io/nats-core";
import { z } from "zod";
import type { Mesh } from "../../a2a/mod.ts";

export function headersOf(values: Record<string, string>): MsgHdrs {
  const made = headers();
  for (const [name, value] of Object.entries(values)) made.set(name, value);
  return made;
}

/** It tells four events, and loses a frame of the first stream. */
export class HandMade {
  readonly #nc: NatsConnection;
  lost = 0;

  constructor(connection: NatsConnection) {
    this.#nc = connection;
    const own = { queue: "handmade" };
    connection.subscribe("a2a.v1.rpc.handmade.*.*", {
      ...own,
      callback: (_error, message) => this.#serve(message),
    });
    connection.subscribe("a2a.v1.card.handmade", {
      ...own,
      callback: (_error, message) => void message.respond(JSON.stringify(this.card)),
    });
  }

  get card() {
    const url = "nats://127.0.0.1:4222/a2a.v1.rpc.handmade";
    const protocolBinding = "urn:petrel:a2a:binding:nats:v1";
    return {
      name: "handmade",
      description: "An agent of another make.",
      version: "3.2.1",
      supportedInterfaces: [{ url, protocolBinding, protocolVersion: "1.0" }],
      capabilities: { streaming: true },
      defaultInputModes: ["text/plain"],
      defaultOutputModes: ["text/plain"],
      skills: [{ id: "say", name: "Say", description: "Says it.", tags: ["by-hand"] }],
    };
  }

  /** Its replica in the registry, as long as the bucket keeps it. */
  async announce(by: Mesh): Promise<void> {
    const kv = await by.kvm.open("A2A_CARDS");
    const startedAt = "2026-01-01T00:00:00.000Z";
    const replica = {
      agent: "handmade",
      instance: "i-1",
      host: "h",
      pid: 1,
      startedAt,
      running: 0,
    };
    await kv.put("handmade.i-1", JSON.stringify({ ...replica, card: this.card }));
  }

  #serve(message: Msg): void {
    const method = message.subject.split(".").at(-1) ?? "";
    const id = z.object({ id: z.string() }).parse(message.json()).id;
    const send = (values: Record<string, string>, answer?: object) => {
      const envelope = message.headers?.get("a2a-envelope") ?? "";
      const body = answer ? JSON.stringify({ jsonrpc: "2.0", id, ...answer }) : "";
      const given = headersOf({ "a2a-envelope": envelope, ...values });
      this.#nc.publish(message.reply ?? "", body, { headers: given });
    };
    const status = (state: string) => ({ state, timestamp: "2026-01-01T00:00:00.000Z" });
    const ids = { taskId: "t-1", contextId: "c-1" };
    const task = { id: "t-1", contextId: "c-1", status: status("TASK_STATE_WORKING") };
    const told = (step: number) => ({ statusUpdate: { ...ids, status: status(stateOf(step)) } });
    const stream = [{ task }, told(2), told(3), told(4)];
    if (method === "GetTask") {
      const error = { code: -32001, message: "Task not found" };
      return send({ "a2a-frame": "error" }, { error });
    }
    if (method === "SendMessage") return send({ "a2a-frame": "result" }, { result: { task } });
    const cursor = Number(message.headers?.get("a2a-cursor") || 0);
    let seq = 0;
    for (const [at, result] of stream.entries()) {
      if (at < cursor) continue;
      seq++;
      const isLost = cursor === 0 && at === 2;
      if (isLost) this.lost++;
      else send({ "a2a-frame": "data", "a2a-seq": `${seq}`, "a2a-event": `${at + 1}` }, { result });
    }
    send({ "a2a-frame": "end", "a2a-seq": `${seq + 1}` });
  }
}

const stateOf = (step: number) => (step < 4 ? "TASK_STATE_WORKING" : "TASK_STATE_COMPLETED");
