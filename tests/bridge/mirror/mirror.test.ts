/** The mirror: what it makes of reports, packs, holes, lies and time. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { AuditRecord } from "../../../a2a/mod.ts";
import type { Fact } from "../../../bridge/mirror/fact.ts";
import { Mirror } from "../../../bridge/mirror/mirror.ts";
import { decodeState, encodeState } from "../../../bridge/mirror/state.ts";
import type { AuditMessage } from "../../../bridge/reader.ts";
import { BEGIN_MS, Lane, record, Stream } from "./world.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const OPTIONS = { stream: "AUDIT", horizonMs: 900_000, silenceMs: 300_000, isWhole: true } as const;

function mirrored(messages: readonly AuditMessage[], mirror = newMirror()): Fact[] {
  return messages.flatMap((message) => mirror.accept(message));
}

function newMirror(): Mirror {
  return new Mirror(OPTIONS, { nextSeq: 1 });
}

function two(): { stream: Stream; sre: Lane; splunk: Lane } {
  const stream = new Stream();
  return { stream, sre: new Lane(stream, "sre"), splunk: new Lane(stream, "splunk") };
}

describe("two reports of one envelope", () => {
  test("are one record, the first", () => {
    const { stream, sre, splunk } = two();
    sre.send([record({ id: "a" })]);
    splunk.send([record({ id: "a", side: "agent" })]);
    const facts = mirrored(stream.messages);
    expect(facts.map((fact) => fact.kind)).toEqual(["envelope"]);
    expect(facts[0]?.place).toEqual({ stream: "AUDIT", seq: 1, index: 0 });
  });

  test("are one record also when they come minutes apart, in whichever order", () => {
    for (const isAgentFirst of [false, true]) {
      const { stream, sre, splunk } = two();
      const ways = [
        () => sre.send([record({ id: "a" })]),
        () => splunk.send([record({ id: "a", side: "agent" })]),
      ];
      if (isAgentFirst) ways.reverse();
      for (const way of ways) {
        way();
        stream.nowMs += 14 * 60_000;
      }
      const facts = mirrored(stream.messages);
      expect(facts.filter((fact) => fact.kind === "envelope")).toHaveLength(1);
    }
  });

  test("by one end only: kept at once, marked after the horizon, confirmed when the other comes", () => {
    const { stream, sre, splunk } = two();
    sre.send([record({ id: "a" })]);
    stream.nowMs += OPTIONS.horizonMs + 1;
    sre.send([], "beat");
    sre.send([], "beat");
    splunk.send([record({ id: "a", side: "agent" })]);
    const facts = mirrored(stream.messages).filter((fact) => fact.kind !== "silence");
    expect(facts.map((fact) => fact.kind)).toEqual(["envelope", "unconfirmed", "confirmed"]);
    expect(facts[1]).toMatchObject({ id: "a", side: "caller", first: { seq: 1, index: 0 } });
    expect(facts[2]).toMatchObject({ id: "a", side: "agent", first: { seq: 1, index: 0 } });
  });

  test("that differ are a conflict; the first stands", () => {
    const { stream, sre, splunk } = two();
    sre.send([record({ id: "a" })]);
    splunk.send([record({ id: "a", side: "agent", body: '{"other":1}' })]);
    sre.send([record({ id: "a", body: '{"third":1}' })]);
    const facts = mirrored(stream.messages);
    expect(facts.map((fact) => fact.kind)).toEqual(["envelope", "conflict", "conflict"]);
    const bodies = facts.map((fact) => "record" in fact && fact.record.body);
    expect(bodies.slice(1)).toEqual(['{"other":1}', '{"third":1}']);
  });

  test("task events and alarms are reported by one end, and need no other", () => {
    const { stream, splunk } = two();
    splunk.send([record({ id: "t.e1", side: "agent", kind: "task" })]);
    splunk.send([record({ id: "t.e1", side: "agent", kind: "task" })]);
    stream.nowMs += OPTIONS.horizonMs + 1;
    splunk.send([], "end");
    expect(mirrored(stream.messages).map((fact) => fact.kind)).toEqual(["envelope"]);
  });
});

describe("a sender's counters", () => {
  test("a pack that was stored twice counts once", () => {
    const { stream, sre } = two();
    const first = sre.send([record({ id: "a" })]);
    stream.publish(first.subject, first.pack, first.data);
    sre.send([record({ id: "b" })]);
    expect(mirrored(stream.messages).map((fact) => fact.kind)).toEqual(["envelope", "envelope"]);
  });

  test("missing packs, missing records and dropped records are gaps that say how many", () => {
    const { stream, sre } = two();
    sre.send([record({ id: "a" })]);
    sre.pack += 2;
    sre.reported += 7;
    sre.send([record({ id: "b" })]);
    sre.reported += 3;
    sre.send([record({ id: "c" })]);
    sre.lost += 5;
    sre.send([record({ id: "d" })]);
    const gaps = mirrored(stream.messages).filter((fact) => fact.kind === "gap");
    expect(gaps.map(({ reason, from, to, missing }) => [reason, from, to, missing])).toEqual([
      ["packs", 2, 3, 7],
      ["count", 5, 5, 3],
      ["dropped", 6, 6, 5],
    ]);
  });

  test("a sender whose first packs nobody stored has a gap from 1", () => {
    const { stream, sre } = two();
    sre.pack = 4;
    sre.reported = 9;
    sre.send([record({ id: "a" })]);
    const [gap] = mirrored(stream.messages);
    expect(gap).toMatchObject({ kind: "gap", reason: "packs", from: 1, to: 4, missing: 9 });
  });

  test("silence without goodbye is told once, and a goodbye is none", () => {
    const { stream, sre, splunk } = two();
    sre.send([record({ id: "t1", side: "caller", kind: "alarm" })]);
    splunk.send([], "end");
    const clock = new Lane(stream, "metrics");
    for (let beat = 0; beat < 10; beat++) {
      stream.nowMs += 60_000;
      clock.send([], "beat");
    }
    const silences = mirrored(stream.messages).filter((fact) => fact.kind === "silence");
    expect(silences).toHaveLength(1);
    expect(silences[0]).toMatchObject({ reporter: "sre", packs: 1, reported: 1, lastMs: BEGIN_MS });
  });
});

describe("what is wrong is parked, and holds nothing up", () => {
  const bytes = new TextEncoder().encode("not a pack");

  test("no header, an unknown version, a hostile header", () => {
    const { stream, sre } = two();
    for (const header of [
      undefined,
      "",
      "2 s 1 0 0 open",
      "1 s -1 0 0 open",
      "1 s 1 0 0 open\r\nx: y",
    ])
      stream.publish("audit.sre.i1.0", header, bytes);
    sre.send([record({ id: "a" })]);
    const facts = mirrored(stream.messages);
    expect(facts.map((fact) => fact.kind)).toEqual([...Array(5).fill("poison"), "envelope"]);
  });

  test("a malformed record: those before it are kept, the rest is parked with its place", () => {
    const { stream, sre } = two();
    const good = sre.send([record({ id: "a" })]);
    stream.messages.length = 0;
    sre.pack--;
    sre.reported++;
    sre.pack++;
    stream.publish(good.subject, `1 ${sre.sender} 1 2 0 open`, Buffer.concat([good.data, bytes]));
    const facts = mirrored([...stream.messages].map((message) => ({ ...message, seq: 1 })));
    expect(facts.map((fact) => fact.kind)).toEqual(["envelope", "poison"]);
    expect(facts[1]).toMatchObject({ place: { seq: 1, index: 1 } });
  });

  test("a report in another's name is parked", () => {
    const { stream, sre } = two();
    sre.send([record({ id: "a", caller: "metrics" }), record({ id: "b" })]);
    const facts = mirrored(stream.messages);
    expect(facts.map((fact) => fact.kind)).toEqual(["poison", "envelope"]);
    expect(facts[0]).toMatchObject({ reason: 'reported by "sre" in the name of "metrics"' });
  });
});

describe("holes in the stream", () => {
  test("sequences that are gone are a gap, at the start and later", () => {
    const { stream, sre } = two();
    stream.skip(4);
    sre.send([record({ id: "a" })]);
    stream.skip(2);
    sre.send([record({ id: "b" })]);
    const gaps = mirrored(stream.messages).filter((fact) => fact.kind === "gap");
    expect(gaps.map(({ reason, from, to }) => [reason, from, to])).toEqual([
      ["stream", 1, 4],
      ["stream", 6, 7],
    ]);
  });
});

describe("the state", () => {
  test("saved anywhere and read back, the facts that follow are the same", () => {
    fc.assert(
      fc.property(history(), fc.nat(), (steps, cut) => {
        const messages = streamOf(steps);
        const whole = mirrored(messages);
        const at = messages.length === 0 ? 0 : cut % messages.length;
        const before = newMirror();
        const first = mirrored(messages.slice(0, at), before);
        const saved = decodeState(encodeState({ ...before.state, tree: "AUDIT.0", size: 0 }));
        const rest = mirrored(messages.slice(at), new Mirror(OPTIONS, saved));
        expect([...first, ...rest]).toEqual(whole);
      }),
      { seed, numRuns: 200 },
    );
  });

  test("every envelope that anybody reported is a fact once, whatever else happens", () => {
    fc.assert(
      fc.property(history(), (steps) => {
        const messages = streamOf(steps);
        const ids = mirrored(messages).flatMap((fact) =>
          fact.kind === "envelope" ? [fact.record.id] : [],
        );
        const reported = new Set(steps.flatMap((step) => step.ids.map((id) => `e${id}`)));
        expect(ids.length).toBe(new Set(ids).size);
        expect(new Set(ids)).toEqual(reported);
      }),
      { seed, numRuns: 200 },
    );
  });
});

interface Step {
  readonly lane: number;
  readonly ids: readonly number[];
  readonly waitMs: number;
  readonly isCopied: boolean;
}

function history(): fc.Arbitrary<Step[]> {
  return fc.array(
    fc.record({
      lane: fc.nat(1),
      ids: fc.array(fc.nat(30), { maxLength: 5 }),
      waitMs: fc.constantFrom(0, 1, 999, 61_000, 400_000, 1_000_000),
      isCopied: fc.boolean(),
    }),
    { maxLength: 40 },
  );
}

function streamOf(steps: readonly Step[]): AuditMessage[] {
  const { stream, sre, splunk } = two();
  for (const { lane, ids, waitMs, isCopied } of steps) {
    stream.nowMs += waitMs;
    const [from, side] = lane === 0 ? ([sre, "caller"] as const) : ([splunk, "agent"] as const);
    const records: AuditRecord[] = ids.map((id) => record({ id: `e${id}`, side }));
    const sent = from.send(records);
    if (isCopied) stream.publish(sent.subject, sent.pack, sent.data);
  }
  return stream.messages;
}
