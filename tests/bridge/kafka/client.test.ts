import { describe, expect, test } from "bun:test";
import { kafkaClient } from "../../../bridge/kafka/client.ts";
import { errorOfCode, kafkaCodeOf, kafkaError } from "../../../bridge/kafka/errors.ts";
import { type ErrorCode, makeLogger } from "../../../core/mod.ts";
import { clientOf, refusal } from "./support.ts";

const { signal } = new AbortController();
const DOING = { doing: "writing to", topic: "audit", partition: 3, transactionalId: "bridge" };

describe("a broker's code", () => {
  const cases: readonly (readonly [kafkaCode: number, code: ErrorCode])[] = [
    [6, "UNAVAILABLE"],
    [10, "TOO_LARGE"],
    [18, "TOO_LARGE"],
    [19, "UNAVAILABLE"],
    [29, "UNAUTHENTICATED"],
    [45, "CONFLICT"],
    [47, "CONFLICT"],
    [49, "CONFLICT"],
    [56, "UNAVAILABLE"],
    [59, "CONFLICT"],
    [89, "OVERLOADED"],
    [90, "CONFLICT"],
    [999, "PROTOCOL_VIOLATION"],
  ];
  for (const [kafkaCode, code] of cases) {
    test(`${kafkaCode} is ${code}, and the error names what was being done`, () => {
      const error = errorOfCode(kafkaCode, DOING);
      expect(error.code).toBe(code);
      expect(error.message).toStartWith("kafka: writing to audit[3] as bridge: ");
      expect(kafkaCodeOf(error)).toBe(kafkaCode);
    });
  }
});

describe("what kafkajs throws", () => {
  const named = (name: string, more: object = {}) =>
    Object.assign(new Error("its words"), { name, ...more });

  test("is told by its name, also inside its own wrappers", () => {
    const inner = named("KafkaJSConnectionError");
    const wrapped = named("KafkaJSNumberOfRetriesExceeded", { cause: inner });
    const all = named("KafkaJSAggregateError", { errors: [wrapped] });
    for (const thrown of [inner, wrapped, all]) {
      const error = kafkaError(thrown, DOING);
      expect(error.code).toBe("UNAVAILABLE");
      expect(error.message).toContain("its words");
    }
  });

  test("by protocol is told by its code", () => {
    const thrown = named("KafkaJSProtocolError", { type: "INVALID_PRODUCER_EPOCH", code: 47 });
    expect(kafkaError(thrown, DOING).code).toBe("CONFLICT");
  });

  test("when nobody foresaw it is a defect, and not retried", () => {
    const error = kafkaError(new TypeError("undefined is not a function"), DOING);
    expect(error.code).toBe("INTERNAL");
    expect(error.retry).toBe("never");
  });

  test("that is its own cause ends the search", () => {
    const thrown: Error & { cause?: unknown } = named("KafkaJSNumberOfRetriesExceeded");
    thrown.cause = thrown;
    expect(kafkaError(thrown, DOING).code).toBe("INTERNAL");
  });
});

describe("a client", () => {
  test("whose brokers are not there is UNAVAILABLE, and says so once, for debugging only", async () => {
    const lines: string[] = [];
    const logger = makeLogger({ level: "info", write: (line) => void lines.push(line) });
    const settings = { brokers: ["127.0.0.1:1", "127.0.0.1:2"], clientId: "t", timeoutMs: 2_000 };
    const client = await kafkaClient(settings, logger);
    const error = await refusal(client.withAdmin((admin) => admin.listTopics(), signal));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toStartWith("kafka: connecting: ");
    expect(lines).toEqual([]);
  });

  test("does not wait for a peer that accepts and stays silent", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const client = await clientOf([`127.0.0.1:${silent.port}`], 200);
    const error = await refusal(client.withAdmin((admin) => admin.listTopics(), signal));
    silent.stop(true);
    expect(["DEADLINE_EXCEEDED", "UNAVAILABLE"]).toContain(error.code);
  });

  test("is not made for an address that kafkajs would cut in two", async () => {
    const error = await refusal(clientOf(["[::1]:9092"]));
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toContain("[::1]:9092");
  });

  test("is not made with a certificate that cannot be read", async () => {
    const settings = { brokers: ["127.0.0.1:1"], clientId: "t", timeoutMs: 1_000 };
    const error = await refusal(kafkaClient({ ...settings, tls: { caFile: "/nowhere/ca.pem" } }));
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toContain("kafka.tls.ca_file");
  });

  test("that is cancelled says so", async () => {
    const client = await clientOf(["127.0.0.1:1"]);
    const error = await refusal(
      client.withAdmin((admin) => admin.listTopics(), AbortSignal.abort(new Error("stop"))),
    );
    expect(error.code).toBe("CANCELLED");
  });
});
