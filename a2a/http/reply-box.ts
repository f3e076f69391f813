/**
 * Where unary answers come in: one subscription for all of them, one unguessable subject for each. An
 * answer that names another envelope is not ours; it is logged and the wait goes on.
 */
import type { Msg, MsgHdrs, NatsConnection, Subscription } from "@nats-io/nats-core";
import { type Logger, PetrelError } from "../../core/mod.ts";
import { HEADER, inboxPrefix } from "../subjects.ts";

export interface Question {
  readonly agent: string;
  readonly subject: string;
  readonly body: Uint8Array;
  readonly headers: MsgHdrs;
  readonly envelopeId: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

interface Waiting {
  readonly agent: string;
  readonly envelopeId: string;
  readonly take: (message: Msg) => void;
}

export class ReplyBox {
  readonly #nc: NatsConnection;
  readonly #log: Logger;
  readonly #prefix: string;
  readonly #waiting = new Map<string, Waiting>();
  #subscription: Subscription | undefined;

  constructor(nc: NatsConnection, caller: string, log: Logger) {
    this.#nc = nc;
    this.#log = log;
    this.#prefix = `${inboxPrefix(caller)}.${crypto.randomUUID()}.`;
  }

  /** How many answers are waited for. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Asks and waits. Rejects with DEADLINE_EXCEEDED, or the signal's reason; nothing is left behind. */
  ask(question: Question): Promise<Msg> {
    this.#subscription ??= this.#listen();
    const { agent, envelopeId, signal, timeoutMs } = question;
    const token = crypto.randomUUID();
    return new Promise<Msg>((resolve, reject) => {
      const forget = () => {
        clearTimeout(timer);
        this.#waiting.delete(token);
        signal?.removeEventListener("abort", leave);
      };
      const leave = () => {
        forget();
        reject(signal?.reason);
      };
      const late = () => {
        forget();
        const message = `agent "${agent}" did not answer in time`;
        reject(new PetrelError("DEADLINE_EXCEEDED", message, { agent }));
      };
      const timer = setTimeout(late, timeoutMs);
      signal?.addEventListener("abort", leave, { once: true });
      const take = (message: Msg) => {
        forget();
        resolve(message);
      };
      this.#waiting.set(token, { agent, envelopeId, take });
      try {
        const { subject, body, headers } = question;
        this.#nc.publish(subject, body, { headers, reply: this.#prefix + token });
      } catch (error) {
        forget();
        reject(new PetrelError("UNAVAILABLE", "nats is not connected", {}, error));
      }
    });
  }

  close(): void {
    this.#subscription?.unsubscribe();
  }

  #listen(): Subscription {
    const callback = (_error: unknown, message: Msg) => {
      const { subject, headers } = message;
      const waiting = this.#waiting.get(subject.slice(this.#prefix.length));
      if (!subject.startsWith(this.#prefix) || !waiting) return;
      // The server's own word that nobody is there bears no envelope.
      if (headers?.code === 503 || headers?.get(HEADER.envelope) === waiting.envelopeId) {
        waiting.take(message);
      } else {
        this.#log.warn("rpc.forged", { agent: waiting.agent, place: HEADER.envelope });
      }
    };
    return this.#nc.subscribe(`${this.#prefix}*`, { callback });
  }
}
