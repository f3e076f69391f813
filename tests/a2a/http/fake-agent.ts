/** An agent of somebody else: says over NATS what a test tells it to, right or wrong. */
import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { headers as makeHeaders } from "@nats-io/nats-core";

export interface FrameWords {
  readonly kind: string;
  readonly body?: string | Uint8Array;
  readonly seq?: number;
  readonly event?: number;
  /** Default: the request's. */
  readonly envelope?: string;
}

export interface Asked {
  readonly message: Msg;
  readonly id: unknown;
  readonly header: (name: string) => string | undefined;
  readonly send: (frame: FrameWords) => void;
  /** A data frame with that result. */
  readonly data: (seq: number, result: unknown, event?: number) => void;
}

/** Serves `name` until the connection closes. */
export async function fakeAgent(
  nc: NatsConnection,
  name: string,
  answer: (asked: Asked) => void | Promise<void>,
): Promise<void> {
  nc.subscribe(`a2a.v1.rpc.${name}.*.*`, {
    queue: name,
    callback: (_error, message) => void answer(askedOf(nc, message)),
  });
  await nc.flush();
}

function askedOf(nc: NatsConnection, message: Msg): Asked {
  const header = (name: string) =>
    message.headers?.has(name) ? message.headers.get(name) : undefined;
  const { id } = message.json<{ id: unknown }>();
  const send = ({ kind, body = "", seq, event, envelope }: FrameWords) => {
    const headers = makeHeaders();
    headers.set("a2a-frame", kind);
    headers.set("a2a-envelope", envelope ?? header("a2a-envelope") ?? "");
    if (seq !== undefined) headers.set("a2a-seq", String(seq));
    if (event !== undefined) headers.set("a2a-event", String(event));
    nc.publish(message.reply ?? "", body, { headers });
  };
  const data = (seq: number, result: unknown, event?: number) => {
    const body = JSON.stringify({ jsonrpc: "2.0", id, result });
    send({ kind: "data", seq, body, ...(event === undefined ? {} : { event }) });
  };
  return { message, id, header, send, data };
}
