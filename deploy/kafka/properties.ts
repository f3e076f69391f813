/** What a small Kafka of this machine is configured with. KRaft: every node is broker and controller. */

/** A listener that is there beside the plain one, for clients that sign in. */
export interface Listener {
  /** `PLAINTEXT`, `SASL_PLAINTEXT`, `SSL` or `SASL_SSL`. */
  readonly protocol: string;
  readonly port: number;
}

export interface NodePorts {
  readonly client: number;
  readonly controller: number;
}

export interface NodeSettings {
  readonly id: number;
  /** The ports of all nodes; node 1 is the first. */
  readonly ports: readonly NodePorts[];
  readonly dataDir: string;
  /** By name, such as `SASL`. */
  readonly listeners?: Readonly<Record<string, Listener>>;
  /** These win over what Petrel sets. */
  readonly extraProperties?: Readonly<Record<string, string>>;
}

export const HOST = "127.0.0.1";

/** The text of one node's server.properties. */
export function serverProperties(settings: NodeSettings): string {
  const { id, ports, dataDir, listeners = {}, extraProperties = {} } = settings;
  const own = ports[id - 1];
  if (own === undefined) throw new RangeError(`node ${id} of ${ports.length}`);
  const replicas = String(ports.length);
  const insyncMin = ports.length === 1 ? "1" : "2";
  const extra = Object.entries(listeners);
  const protocols = ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT"];
  const addresses = [`PLAINTEXT://${HOST}:${own.client}`, `CONTROLLER://${HOST}:${own.controller}`];
  for (const [name, { protocol, port }] of extra) {
    protocols.push(`${name}:${protocol}`);
    addresses.push(`${name}://${HOST}:${port}`);
  }
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": String(id),
    // Voters of the configuration, not of the log: the ports may differ at the next start.
    "controller.quorum.voters": ports.map((p, i) => `${i + 1}@${HOST}:${p.controller}`).join(),
    "controller.listener.names": "CONTROLLER",
    listeners: addresses.join(),
    "listener.security.protocol.map": protocols.join(),
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": dataDir,
    // Nobody gets a topic by misspelling one, and nobody waits for members who will not come.
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "default.replication.factor": replicas,
    "min.insync.replicas": insyncMin,
    "offsets.topic.replication.factor": replicas,
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": insyncMin,
    "share.coordinator.state.topic.replication.factor": replicas,
    "share.coordinator.state.topic.min.isr": insyncMin,
    // The internal topics of one machine: 50 partitions each would be 100 folders for nothing.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    // After a crash the controller waits this long before it believes that a node is a new process;
    // with Kafka's own 9 s a restart takes 10 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    ...extraProperties,
  };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${escaped(value)}\n`)
    .join("");
}

/** A value of java.util.Properties: a backslash or a line end would be read as something else. */
function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
