/**
 * A broker with TLS, SASL and ACLs: who may not is told what, and for what; who is too fast is slowed down.
 * The certificate is made by the JDK's keytool, which is where Kafka's Java is.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ResourcePatternTypes,
} from "kafkajs";
import { type KafkaClient, type KafkaSettings, kafkaClient } from "../../../bridge/kafka/client.ts";
import { KafkaReader } from "../../../bridge/kafka/reader.ts";
import { KafkaSink } from "../../../bridge/kafka/sink.ts";
import { ensureTopics } from "../../../bridge/kafka/topics.ts";
import { type KafkaServer, startKafka } from "../../support/kafka.ts";
import { byKey, clientOf, ledgerOf, readTopic, recordsOf, refusal } from "./support.ts";

const { signal } = new AbortController();
const { TOPIC, TRANSACTIONAL_ID } = AclResourceTypes;
const { READ, WRITE, DESCRIBE } = AclOperationTypes;
const PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required";
const SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
const USER = "bridge";
const PASSWORD = "bridge-secret";
const KEYS_PASSWORD = "keys-secret";

let kafka: KafkaServer;
/** Anonymous, over the plain listener; may do everything. */
let operator: KafkaClient;

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "petrel-tls-"));
  await keytool("-genkeypair", "-keyalg", "EC", "-dname", "CN=kafka", "-ext", "san=ip:127.0.0.1");
  await keytool("-exportcert", "-rfc", "-file", join(dir, "ca.pem"));
  kafka = await startKafka({
    listeners: { SASL: "SASL_PLAINTEXT", TLS: "SSL" },
    extraProperties: {
      "ssl.keystore.location": join(dir, "keys.p12"),
      "ssl.keystore.type": "PKCS12",
      "ssl.keystore.password": KEYS_PASSWORD,
      "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
      "listener.name.sasl.plain.sasl.jaas.config": `${PLAIN} user_${USER}="${PASSWORD}";`,
      "listener.name.sasl.scram-sha-256.sasl.jaas.config": SCRAM,
      "listener.name.sasl.scram-sha-512.sasl.jaas.config": SCRAM,
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS",
    },
    formatArguments: [
      "--add-scram",
      `SCRAM-SHA-256=[name=${USER},password=${PASSWORD}]`,
      "--add-scram",
      `SCRAM-SHA-512=[name=${USER},password=${PASSWORD}]`,
    ],
  });
  operator = await clientOf(kafka.brokers);
  await kafka.createTopics(["open", "ledger", "shut", "slow"].map((topic) => ({ topic })));
  await allow(TOPIC, "open", [READ, WRITE, DESCRIBE]);
  await allow(TOPIC, "ledger", [READ, WRITE, DESCRIBE]);
  await allow(TOPIC, "shut", [DESCRIBE]);
  await allow(TRANSACTIONAL_ID, "mine", [WRITE, DESCRIBE]);
}, 120_000);

afterAll(async () => {
  await kafka?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

async function keytool(command: string, ...args: readonly string[]): Promise<void> {
  const store = [
    "-alias",
    "kafka",
    "-keystore",
    join(dir, "keys.p12"),
    "-storepass",
    KEYS_PASSWORD,
  ];
  const child = Bun.spawn(["keytool", command, ...store, ...args], { stderr: "ignore" });
  if ((await child.exited) !== 0) throw new Error(`keytool ${command} failed`);
}

async function allow(
  resourceType: AclResourceTypes,
  resourceName: string,
  operations: readonly AclOperationTypes[],
): Promise<void> {
  const acl = operations.map((operation) => ({
    resourceType,
    resourceName,
    operation,
    principal: `User:${USER}`,
    host: "*",
    permissionType: AclPermissionTypes.ALLOW,
    resourcePatternType: ResourcePatternTypes.LITERAL,
  }));
  await operator.withAdmin((admin) => admin.createAcls({ acl }), signal);
}

function signedIn(sasl: Partial<NonNullable<KafkaSettings["sasl"]>> = {}): Promise<KafkaClient> {
  return kafkaClient({
    brokers: kafka.brokersOf("SASL"),
    clientId: "petrel-signed-in",
    timeoutMs: 10_000,
    sasl: { mechanism: "plain", user: USER, password: PASSWORD, ...sasl },
  });
}

function sinkOf(client: KafkaClient, topic: string, transactionalId = "mine"): KafkaSink {
  const topics = new Map([
    [topic, 1],
    ["ledger", 1],
  ]);
  return new KafkaSink({ client, transactionalId, topics });
}

describe("signing in", () => {
  for (const mechanism of ["plain", "scram-sha-256", "scram-sha-512"] as const) {
    test(`with ${mechanism} works`, async () => {
      const client = await signedIn({ mechanism });
      const sink = sinkOf(client, "open");
      await sink.open(signal);
      await sink.commit(
        { records: recordsOf("open", 0, 3), ledger: ledgerOf("ledger", 3) },
        signal,
      );
      await sink.close();
      const reader = new KafkaReader({ client });
      const last = await reader.lastRecord("ledger", 0, signal);
      await reader.close();
      expect(last?.value.toString()).toBe('{"next":3}');
    });

    test(`with ${mechanism} and a wrong password is refused`, async () => {
      const client = await signedIn({ mechanism, password: "wrong-secret" });
      const error = await refusal(sinkOf(client, "open").open(signal));
      expect(error.code).toBe("UNAUTHENTICATED");
      expect(JSON.stringify(error)).not.toContain("wrong-secret");
    });
  }
});

describe("over TLS", () => {
  const clientOverTls = (caFile?: string) =>
    kafkaClient({
      brokers: kafka.brokersOf("TLS"),
      clientId: "petrel-tls",
      timeoutMs: 10_000,
      tls: { caFile },
    });

  test("records are written and read", async () => {
    const client = await clientOverTls(join(dir, "ca.pem"));
    const sink = sinkOf(client, "open", "tls");
    await sink.open(signal);
    await sink.commit({ records: recordsOf("open", 0, 3), ledger: ledgerOf("ledger", 7) }, signal);
    await sink.close();
    const reader = new KafkaReader({ client });
    expect((await reader.lastRecord("ledger", 0, signal))?.value.toString()).toBe('{"next":7}');
    await reader.close();
  });

  test("a broker whose certificate nobody vouches for is not talked to", async () => {
    const error = await refusal(sinkOf(await clientOverTls(), "open").open(signal));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toMatch(/certificate/i);
  });
});

describe("an ACL that does not allow it", () => {
  test("names the topic that may not be written to", async () => {
    const error = await refusal(sinkOf(await signedIn(), "shut").open(signal));
    expect(error.code).toBe("UNAUTHENTICATED");
    expect(error.message).toContain("shut");
    expect(error.message).toContain("TOPIC_AUTHORIZATION_FAILED");
  });

  test("names the transactional id that is another's", async () => {
    const error = await refusal(sinkOf(await signedIn(), "open", "theirs").open(signal));
    expect(error.code).toBe("UNAUTHENTICATED");
    expect(error.message).toContain("as theirs");
    expect(error.message).toContain("TRANSACTIONAL_ID_AUTHORIZATION_FAILED");
  });

  test("names the topic that may not be read", async () => {
    const reader = new KafkaReader({ client: await signedIn(), patienceMs: 1_000 });
    const range = { topic: "shut", partition: 0, fromOffset: "earliest", to: "follow" } as const;
    const error = await refusal(reader.readPartition({ ...range, signal }).next());
    await reader.close();
    expect(error.code).toBe("UNAUTHENTICATED");
    expect(error.message).toContain("reading shut[0]");
  });

  test("names the topic that may not be made", async () => {
    const client = await signedIn();
    const specs = [{ topic: "new", partitions: 1, recordBytesMax: 1_000 }];
    const made = client.withAdmin((a) => ensureTopics(a, specs, { create: true, signal }), signal);
    const error = await refusal(made);
    expect(error.code).toBe("UNAUTHENTICATED");
    expect(error.message).toContain("creating new");
  });
});

/** Bytes a second that the clients of these tests may write. */
async function limitWrites(bytes: number): Promise<void> {
  const who = ["--entity-type", "clients", "--entity-name", "petrel-test"];
  const what = ["--alter", "--add-config", `producer_byte_rate=${bytes}`];
  await kafka.run("kafka.admin.ConfigCommand", [...what, ...who]);
}

test("a quota slows the sink down, and every record is there once", async () => {
  await limitWrites(200_000);
  const sink = sinkOf(operator, "slow", "slow");
  await sink.open(signal);
  for (let from = 0; from < 500; from += 100) {
    const batch = {
      records: recordsOf("slow", from, 100, 1_000),
      ledger: ledgerOf("ledger", from),
    };
    await sink.commit(batch, signal);
  }
  await sink.close();
  expect(byKey(await readTopic(operator, "slow"))).toEqual(byKey(recordsOf("slow", 0, 500, 1_000)));
}, 60_000);

test("a quota that makes us wait for too long is OVERLOADED", async () => {
  await limitWrites(100);
  const client = await clientOf(kafka.brokers, 1_000);
  const sink = sinkOf(client, "slow", "slower");
  await sink.open(signal);
  const batch = { records: recordsOf("slow", 0, 200, 1_000), ledger: ledgerOf("ledger", 1) };
  const error = await refusal(sink.commit(batch, signal));
  expect(error.code).toBe("OVERLOADED");
  expect(error.message).toContain("quota");
}, 60_000);
