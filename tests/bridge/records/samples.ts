/** Events of every kind, plain and hostile, for the tests of records. */
import * as fc from "fast-check";
import type { AuditRecord, RecordMeta } from "../../../a2a/mod.ts";
import { type AuditEvent, envelopeEvent, stubOf } from "../../../bridge/records/event.ts";
import { type NoticeFact, noticeEvent } from "../../../bridge/records/notice.ts";

export const AT_MS = 1_795_260_000_123;
export const SEED = Number(process.env.PETREL_TEST_SEED ?? 20_261_121);
const CALL = "01a1fdac-6335-758a-8b0d-3e093653af57";
const TASK = "01a1fdac-6400-7000-8000-000000000001";
const CONTEXT = "01a1fdac-6400-7000-8000-0000000000c7";

export function meta(over: Partial<RecordMeta> = {}): RecordMeta {
  return {
    id: CALL,
    side: "caller",
    kind: "request",
    method: "SendMessage",
    caller: "sre",
    agent: "splunk",
    instance: "i1",
    atMs: AT_MS - 5,
    traceparent: "00-6b491a703738f869454603fd130885bc-e913207d9c139728-01",
    bytes: 0,
    ...over,
  };
}

export function envelope(
  body: unknown,
  over: Partial<RecordMeta> = {},
  place = { stream: "AUDIT", seq: 7, index: 2 },
): AuditEvent {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return envelopeEvent({
    meta: meta({ bytes: Buffer.byteLength(text), ...over }),
    body: text,
    place,
    atMs: AT_MS,
    reportedBy: "caller",
    redactionVersion: "2026.1",
  });
}

const TASK_JSON = {
  id: TASK,
  contextId: CONTEXT,
  status: { state: "TASK_STATE_WORKING", timestamp: "2026-11-21T12:00:00.000Z" },
};

/** One of each kind of envelope, as Petrel's agents send them. */
export const ENVELOPES: readonly AuditEvent[] = [
  envelope({
    jsonrpc: "2.0",
    id: CALL,
    method: "SendMessage",
    params: {
      message: {
        messageId: CALL,
        contextId: CONTEXT,
        role: "ROLE_USER",
        parts: [{ text: "What failed in payments?" }],
      },
    },
  }),
  envelope({ jsonrpc: "2.0", id: CALL, result: { task: TASK_JSON } }, responded()),
  envelope(
    { jsonrpc: "2.0", id: CALL, error: { code: -32_001, message: "Task not found" } },
    responded({ frame: "error", method: "GetTask" }),
  ),
  envelope(
    {
      jsonrpc: "2.0",
      id: CALL,
      result: { statusUpdate: { taskId: TASK, contextId: CONTEXT, status: TASK_JSON.status } },
    },
    framed({ frame: "data" }),
  ),
  envelope("", framed({ frame: "end" })),
  envelope(
    { artifactUpdate: { taskId: TASK, contextId: CONTEXT, artifact: { artifactId: "a" } } },
    { id: `${TASK}.e3`, kind: "task", side: "agent" },
  ),
  envelope(
    { id: TASK, severity: "critical", title: "payment-service: pool exhausted" },
    { id: TASK, kind: "alarm", method: "Alarm" },
  ),
  envelope('\u0000 not JSON, \u2028 and \ud83d\udea8 "quoted"'),
  envelope('[{"jsonrpc":"2.0"}]'),
  envelope("null"),
  envelope('{"jsonrpc":"1.0","method":7}'),
  stubOf(envelope({ jsonrpc: "2.0", id: CALL, result: { task: TASK_JSON } }, responded()), {
    dataref: `nats-object:PETREL_BODIES/${"ab".repeat(32)}`,
    sha256: "ab".repeat(32),
    bytes: 912_000,
  }),
];

function responded(over: Partial<RecordMeta> = {}): Partial<RecordMeta> {
  return { id: `${CALL}.r`, kind: "response", ...over };
}

function framed(over: Partial<RecordMeta> = {}): Partial<RecordMeta> {
  return { id: `${CALL}.4`, kind: "frame", method: "SendStreamingMessage", ...over };
}

const place = { stream: "AUDIT", seq: 9, index: 0 };
const first = { stream: "AUDIT", seq: 7, index: 2 };
const at = { place, timeMs: AT_MS };

export function conflicting(body: string): AuditRecord {
  return { ...meta(), bytes: Buffer.byteLength(body), body };
}

/** One of each kind of notice. */
export const FACTS: readonly NoticeFact[] = [
  { ...at, kind: "unconfirmed", id: CALL, side: "caller", first, firstMs: AT_MS - 900_000 },
  { ...at, kind: "confirmed", id: `${CALL}.r`, side: "agent", first, firstMs: AT_MS - 900_000 },
  {
    ...at,
    kind: "conflict",
    record: conflicting('{"other":1}'),
    first,
  },
  {
    ...at,
    kind: "gap",
    reason: "packs",
    sender: "sre.s1",
    reporter: "sre",
    from: 4,
    to: 5,
    missing: 12,
  },
  {
    ...at,
    kind: "gap",
    reason: "stream",
    sender: "",
    reporter: "",
    from: 1,
    to: 4_000_000_000,
    missing: undefined,
  },
  {
    ...at,
    kind: "gap",
    reason: "resumed",
    sender: "",
    reporter: "",
    from: 1,
    to: 8,
    missing: undefined,
  },
  {
    ...at,
    kind: "silence",
    sender: "splunk.s1",
    reporter: "splunk",
    lastMs: AT_MS - 300_000,
    packs: 31,
    reported: 417,
  },
  {
    ...at,
    kind: "poison",
    subject: "audit.sre.i1.0",
    reason: "no pack header",
    raw: new TextEncoder().encode("not a pack"),
  },
];

export const NOTICES: readonly AuditEvent[] = FACTS.map((fact) =>
  noticeEvent(fact, {
    redactionVersion: "2026.1",
    ...(fact.kind === "poison" && { body: "not a pack" }),
  }),
);

/** A notice that was thought too large keeps its data all the same. */
const STUBBED = NOTICES.map((event) =>
  stubOf(event, { dataref: "nats-object:B/00", sha256: "ab".repeat(32), bytes: 70_000 }),
);

export const EVENTS: readonly AuditEvent[] = [...ENVELOPES, ...NOTICES, ...STUBBED];

/** Any string a peer can send; a lone surrogate is none, for JSON in UTF-8 has no such thing. */
export function anyText(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }).map((any) => any.toWellFormed()),
    fc.constantFrom("a\r\nce_id: forged", "%0A", "\u0000", "\u007f", "\u0085", "日本", "", " x "),
  );
}

/** JSON that has A2A's names in the wrong places, with the wrong types, and now and then right. */
export function hostileJson(): fc.Arbitrary<unknown> {
  const name = fc.constantFrom(
    ..."jsonrpc method params result error message task statusUpdate artifactUpdate status state".split(
      " ",
    ),
    ..."contextId taskId context_id task_id id configs tasks code __proto__ constructor".split(" "),
  );
  return fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.oneof(
        anyText(),
        fc.integer(),
        fc.constantFrom(null, true, "2.0", -32_603, "TASK_STATE_FAILED"),
      ),
      fc.array(tie("json"), { maxLength: 3 }),
      fc.dictionary(name, tie("json"), { maxKeys: 5 }),
    ),
  })).json;
}

/** Envelopes whose ids and bodies are whatever a peer can get past the pack's own checks. */
export function hostileEnvelope(): fc.Arbitrary<AuditEvent> {
  const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
  return fc
    .record({
      kind: fc.constantFrom<RecordMeta["kind"]>("request", "response", "frame", "task", "alarm"),
      method: fc.constantFrom("SendMessage", "GetTask", "SendStreamingMessage", "Evil"),
      id: fc.stringMatching(/^[A-Za-z0-9._:-]{1,40}$/),
      caller: token,
      agent: token,
      instance: token,
      atMs: fc.oneof(
        fc.constantFrom(0, 1.5, Number.MAX_SAFE_INTEGER, 253_402_300_800_000),
        fc.double({ min: 0, max: 2e15, noNaN: true }),
      ),
      body: fc.oneof(
        anyText(),
        hostileJson().map((json) => JSON.stringify(json)),
        hostileJson().map((json) => JSON.stringify(json, null, 2)),
        fc.tuple(anyText(), anyText()).map(([contextId, taskId]) =>
          JSON.stringify({
            jsonrpc: "2.0",
            id: 1,
            method: "SendMessage",
            params: { message: { contextId, taskId } },
            result: { task: { id: taskId, contextId } },
          }),
        ),
      ),
      seq: fc.nat(),
    })
    .map(({ body, seq, ...over }) =>
      envelope(body, over, { stream: "AUDIT", seq, index: seq % 200 }),
    );
}
