/** The bridge's cases at a small size, on a real nats-server and a real Kafka: all is carried, and equal. */
import { describe, expect, setDefaultTimeout } from "bun:test";
import { unpackRecords } from "../../a2a/mod.ts";
import { benchBridge, benchRecords } from "../../bench/bridge/case.ts";
import { callStream, eventStream, eventSubjects } from "../../bench/bridge/stream.ts";
import { benchVerify } from "../../bench/bridge/verify.ts";
import { type Figure, tableOf } from "../../bench/figure.ts";
import type { BenchContext } from "../../bench/run.ts";
import { limits } from "../../core/mod.ts";
import { testWithKafka } from "../support/kafka.ts";

const test = await testWithKafka();
setDefaultTimeout(120_000);

const context: BenchContext = {
  rounds: 1,
  signal: new AbortController().signal,
  onProgress: () => undefined,
};

function expectMeasured(figures: readonly Figure[], names: readonly string[]): void {
  expect(figures.map((figure) => `${figure.case} ${figure.metric}`)).toEqual([...names]);
  for (const { ours, peer } of figures) {
    expect(ours).toBeGreaterThan(0);
    expect(peer ?? 1).toBeGreaterThan(0);
  }
  expect(tableOf(figures)).not.toContain("NaN");
}

describe("the stream", () => {
  test("is the same every time, reported by both ends, in full packs, bodies of their size", () => {
    const make = () => [...callStream(500, 1_024)];
    expect(make()).toEqual(make());
    const packs = make();
    expect(packs.map(({ reports }) => reports)).toEqual([200, 200, 200, 200, 100, 100]);
    expect(limits.PACK_RECORDS_MAX).toBe(200);
    const records = packs.flatMap(({ data }) => unpackRecords(data));
    expect(new Set(records.map(({ id, side }) => `${id} ${side}`)).size).toBe(1_000);
    expect(new Set(records.map(({ id }) => id)).size).toBe(500);
    for (const { body, bytes } of records)
      expect([Buffer.byteLength(body), bytes]).toEqual([1_024, 1_024]);
  });

  test("has one event a message, from each agent in turn", () => {
    const packs = [...eventStream(20, 1_024, 8)];
    expect(packs.map(({ reports }) => reports)).toEqual(Array(20).fill(1));
    expect(packs.slice(0, 8).map(({ subject }) => subject)).toEqual(eventSubjects(8));
  });
});

test("bridge: all is carried and verified, and kafkajs writes the same", async () => {
  // Three transactions: a rate needs two.
  const figures = await benchBridge(context, 4_500);
  expectMeasured(figures, [
    "bridge envelopes",
    "bridge cpu",
    "bridge-plain envelopes",
    "bridge-plain cpu",
    "bridge peak",
  ]);
});

test("verify: a trail that was written is verified whole", async () => {
  const figures = await benchVerify(context, 4_000);
  const metrics = ["took", "records", "peak"];
  expectMeasured(figures, [
    ...metrics.map((metric) => `verify ${metric}`),
    ...metrics.map((metric) => `verify-tenth ${metric}`),
  ]);
});

test("records: every step has its cost", async () => {
  const figures = await benchRecords(context, 2_000);
  expectMeasured(figures, ["records mirror", "records record", "records redact", "records leaf"]);
});
