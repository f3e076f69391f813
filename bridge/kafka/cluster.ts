/** Connections to the brokers of one cluster: who leads what, and one request at a time with a deadline. */
import type { Socket } from "node:net";
import { asPetrelError, PetrelError } from "../../core/mod.ts";
import { type KafkaDoing, kafkaError } from "./errors.ts";
import type { Exchange, InnerBroker, InnerCluster } from "./kafkajs-inner.ts";

/** How long a polite goodbye may take before the sockets are cut. */
const GOODBYE_MS_MAX = 500;
const TRANSACTION_COORDINATOR = 1;

export class KafkaCluster {
  readonly #inner: InnerCluster;
  readonly #sockets: ReadonlySet<Socket>;
  readonly #timeoutMs: number;

  /** Made by `kafkaClient`; `sockets` are those kafkajs has open for this cluster. */
  constructor(inner: InnerCluster, sockets: ReadonlySet<Socket>, timeoutMs: number) {
    this.#inner = inner;
    this.#sockets = sockets;
    this.#timeoutMs = timeoutMs;
  }

  /** Connects and authenticates. Throws UNAVAILABLE when no broker answers, UNAUTHENTICATED when one refuses. */
  async connect(signal: AbortSignal): Promise<void> {
    await this.step({ doing: "connecting" }, signal, () => this.#inner.connect());
  }

  /** Asks who leads the partitions of these topics; they are remembered until `refresh`. */
  async load(topics: readonly string[], signal: AbortSignal): Promise<void> {
    for (const topic of topics) {
      const doing = { doing: "asking for the leaders of", topic };
      await this.step(doing, signal, () => this.#inner.addMultipleTargetTopics([topic]));
    }
  }

  async refresh(signal: AbortSignal): Promise<void> {
    const doing = { doing: "asking for the leaders" };
    await this.step(doing, signal, () => this.#inner.refreshMetadata());
  }

  /** How many partitions a loaded topic has; 0 when it is not there. */
  partitionCount(topic: string): number {
    return this.#inner.findTopicPartitionMetadata(topic).length;
  }

  /** The broker that leads a partition of a loaded topic, connected. */
  async leaderOf(topic: string, partition: number, signal: AbortSignal): Promise<InnerBroker> {
    const doing = { doing: "finding the leader of", topic, partition };
    const all = this.#inner.findTopicPartitionMetadata(topic);
    const found = all.find(({ partitionId }) => partitionId === partition);
    if (!found || found.leader < 0) {
      const what = found ? "has no leader now" : "is not there";
      throw new PetrelError("UNAVAILABLE", `kafka: ${topic}[${partition}] ${what}`, doing);
    }
    return this.step(doing, signal, () => this.#inner.findBroker({ nodeId: found.leader }));
  }

  /** The broker that keeps a transactional id, connected. */
  async coordinatorOf(transactionalId: string, signal: AbortSignal): Promise<InnerBroker> {
    const doing = { doing: "finding the coordinator", transactionalId };
    return this.step(doing, signal, async () => {
      // kafkajs's own search hides an ACL's refusal.
      const any = await this.#inner.brokerPool.findConnectedBroker();
      const { coordinator } = await any.findGroupCoordinator({
        groupId: transactionalId,
        coordinatorType: TRANSACTION_COORDINATOR,
      });
      return this.#inner.findBroker({ nodeId: coordinator.nodeId });
    });
  }

  /** One request of ours and its answer. */
  async send<T>(
    broker: InnerBroker,
    exchange: Exchange<T>,
    doing: KafkaDoing,
    signal: AbortSignal,
  ): Promise<T> {
    const timeoutMs = Math.max(this.#timeoutMs, exchange.requestTimeout ?? 0);
    return this.step(doing, signal, () => broker.connectionPool.send(exchange), timeoutMs);
  }

  /** Work with a deadline whose errors are of the closed set; the work itself may go on unheard. */
  async step<T>(
    doing: KafkaDoing,
    signal: AbortSignal,
    work: () => Promise<T>,
    timeoutMs = this.#timeoutMs,
  ): Promise<T> {
    if (signal.aborted) throw cancelled(signal);
    try {
      return await withDeadline(work(), timeoutMs, signal);
    } catch (error) {
      throw kafkaError(error, doing);
    }
  }

  /** Lets every connection go. Never throws, and takes half a second at most. */
  async close(): Promise<void> {
    const unheard = new AbortController().signal;
    await withDeadline(this.#inner.disconnect(), GOODBYE_MS_MAX, unheard).catch(() => {});
    for (const socket of this.#sockets) socket.destroy();
  }
}

function cancelled({ reason }: AbortSignal): PetrelError {
  return asPetrelError(reason, "CANCELLED", "kafka");
}

function withDeadline<T>(work: Promise<T>, timeoutMs: number, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(cancelled(signal));
    const late = () => {
      const message = `no answer within ${timeoutMs} ms`;
      reject(Object.assign(new Error(message), { name: "TimeoutError" }));
    };
    const timer = setTimeout(late, timeoutMs);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    });
  });
}
