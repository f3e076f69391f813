/**
 * The part of kafkajs below its public names that we drive: its cluster (connections, TLS, SASL, metadata),
 * its admin over such a cluster, and single requests. The types are ours, for kafkajs has none there.
 * kafkajs is pinned at 2.2.4, its last release, and nothing here is asked of another version.
 *
 * Why below: its producer asks for the coordinator once per partition, answers CONCURRENT_TRANSACTIONS with
 * waits of 300 ms, forgets partitions when a leader moves, and takes ten times the CPU to write a record; its
 * consumer needs a group.
 */
import type { Admin } from "kafkajs";

/** A request and how its answer is read; `encode` gives a buffer as kafkajs's own encoder holds one. */
export interface Exchange<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
    /** The request's last bytes, behind those of `encode`, sent from where they lie. */
    readonly tail?: Buffer | undefined;
  };
  readonly response: {
    /** With `clientSideThrottleTime`, by which kafkajs keeps to a quota (KIP-219). */
    decode(
      payload: Buffer,
    ): Promise<{ readonly clientSideThrottleTime: number; readonly value: T }>;
    parse(decoded: { readonly value: T }): Promise<T>;
  };
  /** Milliseconds; kafkajs takes the larger of this and its own. */
  readonly requestTimeout?: number;
  /** What fails is thrown; kafkajs need not log it as well. */
  readonly logResponseError: false;
}

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

interface Transaction {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}

export interface InnerBroker {
  readonly nodeId: number;
  readonly connectionPool: { send<T>(exchange: Exchange<T>): Promise<T> };
  disconnect(): Promise<void>;
  findGroupCoordinator(request: {
    groupId: string;
    coordinatorType: 0 | 1;
  }): Promise<{ coordinator: { nodeId: number } }>;
  initProducerId(request: {
    transactionalId: string;
    transactionTimeout: number;
  }): Promise<{ producerId: string; producerEpoch: number }>;
  endTxn(request: Transaction & { transactionResult: boolean }): Promise<unknown>;
  listOffsets(request: {
    isolationLevel: 0 | 1;
    topics: readonly {
      topic: string;
      partitions: readonly { partition: number; timestamp: number }[];
    }[];
  }): Promise<{
    responses: { topic: string; partitions: { partition: number; offset: string }[] }[];
  }>;
}

export interface InnerCluster {
  readonly brokerPool: { findConnectedBroker(): Promise<InnerBroker> };
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  findBroker(options: { nodeId: number }): Promise<InnerBroker>;
  findTopicPartitionMetadata(
    topic: string,
  ): readonly { readonly partitionId: number; readonly leader: number }[];
}

/** What kafkajs logs through. */
export interface InnerLogger {
  namespace(name: string): InnerLogger;
  error(message: string, extra?: object): void;
  warn(message: string, extra?: object): void;
  info(message: string, extra?: object): void;
  debug(message: string, extra?: object): void;
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
  push(sent: {
    readonly entry: object;
    readonly expectResponse: true;
    readonly requestTimeout: number | null;
    readonly sendRequest: () => void;
  }): void;
  maybeThrottle(throttleMs: number): void;
}

interface Connection {
  /** Null when nobody has to sign in; then nobody ever counts as authenticated either. */
  readonly sasl: object | null;
  readonly requestQueue: RequestQueue;
  readonly clientId: string;
  readonly socket: { write(bytes: Buffer): void };
  isAuthenticated(): boolean;
  failIfNotConnected(): void;
  nextCorrelationId(): number;
  send: <T>(exchange: Exchange<T>) => Promise<T>;
}

interface ConnectionPool {
  readonly pool: readonly Connection[];
}

interface PoolBuilder {
  build: (this: PoolBuilder, destination?: object) => Promise<ConnectionPool>;
}

export interface ClusterOptions {
  readonly logger: InnerLogger;
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl?: object | undefined;
  readonly sasl?: object | undefined;
  readonly connectionTimeout: number;
  readonly authenticationTimeout: number;
  readonly requestTimeout: number;
  readonly metadataMaxAge: number;
  readonly retry: { readonly retries: number; initialRetryTime: number; maxRetryTime: number };
  readonly socketFactory: (options: SocketOptions) => unknown;
}

export interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly ssl: object | undefined;
  readonly onConnect: () => void;
}

export interface KafkajsInner {
  makeCluster(options: ClusterOptions): InnerCluster;
  makeAdmin(cluster: InnerCluster, options: ClusterOptions): Admin;
}

type ClusterClass = new (
  options: ClusterOptions & { allowAutoTopicCreation: boolean; maxInFlightRequests: number | null },
) => InnerCluster & { readonly connectionPoolBuilder: PoolBuilder };
interface Parts {
  readonly Cluster: ClusterClass;
  readonly makeAdmin: (options: object) => Admin;
  readonly Emitter: new () => object;
}

/** Loads kafkajs; nothing else of ours does, so that who does not use Kafka does not pay for it. */
export async function loadKafkajs(): Promise<KafkajsInner> {
  const parts: Parts = await import("./kafkajs-parts.ts");
  const { Cluster, makeAdmin, Emitter } = parts;
  return {
    makeCluster(options) {
      // A connection's requests overlap; what must not, ours or not, is seen to by who sends.
      const limits = { allowAutoTopicCreation: false, maxInFlightRequests: null };
      const made = new Cluster({ ...options, ...limits });
      mendConnections(made.connectionPoolBuilder);
      return made;
    },
    makeAdmin: (inner, { logger, retry }) =>
      makeAdmin({ logger, retry, cluster: inner, instrumentationEmitter: new Emitter() }),
  };
}

function mendConnections(builder: PoolBuilder): void {
  const build = builder.build;
  builder.build = async (destination) => {
    const made = await build.call(builder, destination);
    for (const connection of made.pool) {
      quietQueue(connection.requestQueue);
      sendTails(connection);
    }
    return made;
  };
}

/**
 * kafkajs sets a timer of minus fifty years after every answer (`throttledUntil` is -1), of which Bun and
 * Node warn on standard error. A timer is of use only while a request waits.
 */
function quietQueue(requestQueue: RequestQueue): void {
  const schedule = requestQueue.scheduleCheckPendingRequests;
  requestQueue.scheduleCheckPendingRequests = () => {
    if (requestQueue.pending.length > 0) schedule.call(requestQueue);
  };
}

/**
 * kafkajs copies a request into a buffer of the next power of two, filled with zeros before, and that into
 * another: at a record batch's size most of the memory a bridge takes. A request with a tail is put on the
 * wire in two writes instead; its place among the others, its deadline and its answer are as kafkajs has
 * them (network/connection.js, `send`). One that has to sign in first goes the old way.
 */
function sendTails(connection: Connection): void {
  const send = connection.send.bind(connection);
  connection.send = async (exchange) => {
    const { request, response, requestTimeout = null } = exchange;
    const { tail, apiKey, apiVersion, apiName } = request;
    if (!tail) return send(exchange);
    if (connection.sasl && !connection.isAuthenticated())
      return send({ ...exchange, request: whole(request, tail) });
    const { requestQueue, clientId, socket } = connection;
    const { buffer: body } = await request.encode();
    connection.failIfNotConnected();
    const correlationId = connection.nextCorrelationId();
    const head = requestHead({ apiKey, apiVersion, correlationId, clientId });
    head.writeInt32BE(head.length - SIZE_BYTES + body.length + tail.length, 0);
    const { payload } = await new Promise<{ payload: Buffer }>((resolve, reject) => {
      const entry = { apiKey, apiName, apiVersion, correlationId, resolve, reject };
      const sendRequest = () => {
        socket.write(Buffer.concat([head, body]));
        socket.write(tail);
      };
      requestQueue.push({ entry, expectResponse: true, requestTimeout, sendRequest });
    });
    const decoded = await response.decode(payload);
    requestQueue.maybeThrottle(decoded.clientSideThrottleTime);
    return response.parse(decoded);
  };
}

type Request<T> = Exchange<T>["request"];

function whole<T>(request: Request<T>, tail: Buffer): Request<T> {
  const encode = async () => {
    const buffer = Buffer.concat([(await request.encode()).buffer, tail]);
    return { buf: buffer, buffer };
  };
  return { ...request, encode, tail: undefined };
}

const SIZE_BYTES = 4;

/** Room for the size, and the header version 1 of a request (the Kafka protocol guide). */
function requestHead(of: {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string;
}): Buffer {
  const clientId = Buffer.from(of.clientId);
  const head = Buffer.alloc(SIZE_BYTES + 10 + clientId.length);
  head.writeInt16BE(of.apiKey, 4);
  head.writeInt16BE(of.apiVersion, 6);
  head.writeInt32BE(of.correlationId, 8);
  head.writeInt16BE(clientId.length, 12);
  clientId.copy(head, 14);
  return head;
}
