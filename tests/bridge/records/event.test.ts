/** The CloudEvents of facts: types, ids, keys, outcomes, and what hostile ids become. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { envelopeEvent, stubOf } from "../../../bridge/records/event.ts";
import { noticeEvent } from "../../../bridge/records/notice.ts";
import {
  isAttributeText,
  originalText,
  safeText,
  timeOf,
  timeText,
} from "../../../bridge/records/text.ts";
import {
  AT_MS,
  anyText,
  conflicting,
  ENVELOPES,
  EVENTS,
  envelope,
  FACTS,
  hostileEnvelope,
  meta,
  NOTICES,
  SEED,
} from "./samples.ts";

describe("an envelope's event", () => {
  test("has every attribute an auditor asks for", () => {
    const body = {
      jsonrpc: "2.0",
      id: "x",
      result: { task: { id: "t-1", contextId: "c-1", status: {} } },
    };
    expect(envelope(body, { id: "x.r", kind: "response", side: "agent" })).toEqual({
      type: "petrel.a2a.SendMessage.response.v1",
      id: "AUDIT:7.2",
      source: "/petrel/splunk",
      subject: "t-1",
      timeMs: AT_MS - 5,
      key: "c-1",
      traceparent: "00-6b491a703738f869454603fd130885bc-e913207d9c139728-01",
      extensions: {
        envelopeid: "x.r",
        method: "SendMessage",
        caller: "sre",
        agent: "splunk",
        reportedby: "caller",
        instance: "i1",
        redaction: "2026.1",
        streamtime: "2026-11-21T11:20:00.123Z",
        contextid: "c-1",
        taskid: "t-1",
        outcome: "ok",
      },
      contentType: "application/json",
      data: JSON.stringify(body),
    });
  });

  test("has a type for each operation and direction", () => {
    expect(ENVELOPES.slice(0, 7).map((event) => event.type)).toEqual([
      "petrel.a2a.SendMessage.request.v1",
      "petrel.a2a.SendMessage.response.v1",
      "petrel.a2a.GetTask.response.v1",
      "petrel.a2a.SendStreamingMessage.event.v1",
      "petrel.a2a.SendStreamingMessage.event.v1",
      "petrel.task.event.v1",
      "petrel.alarm.v1",
    ]);
  });

  test("is keyed by the context, else the task, else the call, never by nothing", () => {
    const keyed = (params: unknown, over = {}) =>
      envelope({ jsonrpc: "2.0", method: "SendMessage", params }, over).key;
    expect(keyed({ message: { contextId: "c", taskId: "t" } })).toBe("c");
    expect(keyed({ message: { contextId: "", taskId: "t" } })).toBe("t");
    expect(keyed({}, { id: "call-1" })).toBe("call-1");
    expect(envelope("", { id: "call-1.12", kind: "frame", frame: "end" }).key).toBe("call-1");
    expect(envelope("?", { id: "call-1.r", kind: "response" }).key).toBe("call-1");
    expect(envelope({}, { id: "t-9.e4", kind: "task" })).toMatchObject({
      key: "t-9",
      subject: "t-9",
    });
  });

  test("tells how it ended", () => {
    const outcome = (body: unknown, over: object) => envelope(body, over).extensions.outcome;
    const response = { kind: "response" } as const;
    expect(outcome({ jsonrpc: "2.0", method: "GetTask" }, {})).toBeUndefined();
    expect(outcome({ result: {} }, response)).toBe("ok");
    expect(outcome({ error: { code: 1, message: "no" } }, response)).toBe("error");
    expect(outcome("?", { ...response, frame: "error" })).toBe("error");
    const failed = { status: { state: "TASK_STATE_FAILED" } };
    expect(outcome({ result: failed }, response)).toBe("error");
    expect(outcome({ result: { task: failed } }, response)).toBe("error");
    expect(outcome({ statusUpdate: failed }, { kind: "task" })).toBe("error");
    expect(outcome({ artifactUpdate: {} }, { kind: "task" })).toBe("ok");
  });

  test("of another form than its kind's is text, kept as it came", () => {
    for (const body of ["?", "[]", "null", '{"jsonrpc":"1.0"}', '{"jsonrpc":"2.0","method":1}'])
      expect(envelope(body)).toMatchObject({
        contentType: "text/plain; charset=UTF-8",
        data: body,
      });
    expect(envelope("")).toMatchObject({ contentType: undefined, data: undefined });
  });

  test("bears the stream's time when the reporter's is no time, and says what it was", () => {
    const { timeMs, extensions } = envelope("?", { atMs: Number.MAX_SAFE_INTEGER });
    expect(timeMs).toBe(AT_MS);
    expect(extensions.reportedms).toBe("9007199254740991");
  });

  test("that is a stub says where its data is, and keeps everything else", () => {
    const whole = envelope({ jsonrpc: "2.0", method: "GetTask", params: { id: "t" } });
    const stub = stubOf(whole, { dataref: "nats-object:B/00", sha256: "00", bytes: 5 });
    expect(stub).toEqual({
      ...whole,
      data: undefined,
      extensions: {
        ...whole.extensions,
        dataref: "nats-object:B/00",
        datasha256: "00",
        databytes: "5",
      },
    });
  });

  test("hostile or not, holds nothing that could end a header, and a key", () => {
    fc.assert(
      fc.property(hostileEnvelope(), (event) => {
        const values = [event.id, event.type, event.source, event.key, event.subject ?? "-"];
        for (const value of [...values, ...Object.values(event.extensions)]) {
          expect(isAttributeText(value)).toBe(true);
          expect(value).not.toBe("");
        }
        for (const name of Object.keys(event.extensions)) expect(name).toMatch(/^[a-z0-9]{1,20}$/);
        expect(timeText(event.timeMs)).toBeDefined();
      }),
      { seed: SEED, numRuns: 400 },
    );
  });

  test("keeps different ids different, and they can be read back", () => {
    fc.assert(
      fc.property(anyText(), anyText(), (one, other) => {
        expect(originalText(safeText(one))).toBe(one);
        expect(safeText(one) === safeText(other)).toBe(one === other);
      }),
      { seed: SEED, numRuns: 400 },
    );
    expect(safeText('a\r\nce_id: "x"%0A')).toBe("a%0D%0Ace_id:%20%22x%22%250A");
    expect(originalText("%zz")).toBeUndefined();
    expect(originalText("a b")).toBeUndefined();
  });
});

describe("a notice", () => {
  test("of each kind has its own type, data and key", () => {
    expect(NOTICES.map(({ type, id, key }) => [type, id, key])).toEqual([
      ["petrel.audit.unconfirmed.v1", "AUDIT:9.n0", meta().id],
      ["petrel.audit.confirmed.v1", "AUDIT:9.n0", meta().id],
      ["petrel.audit.conflict.v1", "AUDIT:9.n0", meta().id],
      ["petrel.audit.gap.v1", "AUDIT:9.n0", "sre.s1"],
      ["petrel.audit.gap.v1", "AUDIT:9.s0", "AUDIT"],
      ["petrel.audit.gap.v1", "AUDIT:9.r0", "AUDIT"],
      ["petrel.audit.silence.v1", "AUDIT:9.n0", "splunk.s1"],
      ["petrel.audit.poison.v1", "AUDIT:9.0", "AUDIT"],
    ]);
  });

  test("says what happened", () => {
    const data = NOTICES.map((event): unknown => JSON.parse(event.data ?? ""));
    expect(data[0]).toEqual({
      notice: "unconfirmed",
      stream: "AUDIT",
      seq: 9,
      envelope: meta().id,
      side: "caller",
      record: "AUDIT:7.2",
      since: "2026-11-21T11:05:00.123Z",
    });
    expect(data[3]).toMatchObject({ reason: "packs", from: 4, to: 5, missing: 12 });
    expect(data[7]).toEqual({
      notice: "poison",
      stream: "AUDIT",
      seq: 9,
      reason: "no pack header",
      subject: "audit.sre.i1.0",
      sha256: new Bun.CryptoHasher("sha256").update("not a pack").digest("hex"),
      bytes: 10,
      body: "not a pack",
    });
  });

  test("is small, however large what it is about", () => {
    const bodies = ["\ud83d\udea8", "\u0001", "x"].map((char) => char.repeat(500_000));
    for (const [fact, body] of FACTS.flatMap((one) => bodies.map((any) => [one, any] as const))) {
      const large = fact.kind === "conflict" ? { ...fact, record: conflicting(body) } : fact;
      const { data = "" } = noticeEvent(large, { redactionVersion: "1", body });
      expect(Buffer.byteLength(data)).toBeLessThan(128 * 1024);
      expect(data.isWellFormed()).toBe(true);
    }
  });
});

test("ids are unique: envelopes, notices and parked reports of one message do not meet", () => {
  const place = { stream: "AUDIT", seq: 9, index: 0 };
  const ids = [
    envelopeEvent({
      meta: meta(),
      body: "",
      place,
      atMs: 1,
      reportedBy: "agent",
      redactionVersion: "1",
    }).id,
    ...[0, 5].flatMap((n) => NOTICES[n]?.id ?? []),
  ];
  expect(new Set(ids).size).toBe(3);
});

test("times are RFC 3339 in UTC, or none", () => {
  expect(timeText(0)).toBe("1970-01-01T00:00:00.000Z");
  expect(timeText(253_402_300_799_999)).toBe("9999-12-31T23:59:59.999Z");
  for (const none of [-1, 253_402_300_800_000, Number.NaN, Number.POSITIVE_INFINITY])
    expect(timeText(none)).toBeUndefined();
  for (const other of ["", "2026-11-21", "2026-11-21T12:00:00Z", "2026-02-30T00:00:00.000Z"])
    expect(timeOf(other)).toBeUndefined();
  for (const event of EVENTS) expect(timeOf(timeText(event.timeMs) ?? "")).toBe(event.timeMs);
});
