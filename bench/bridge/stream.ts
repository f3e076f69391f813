/**
 * The AUDIT stream of the bridge's cases, the same on every run: envelopes of a fixed size, reported and
 * packed as outboxes do. Texts are those of agents at work: templates of log lines, counts, ids, times.
 */
import { type AuditRecord, formatPackHeader, packRecords } from "../../a2a/mod.ts";
import { limits } from "../../core/mod.ts";

/** What is published as one message of the stream. */
export interface Pack {
  readonly subject: string;
  /** The pack header's text. */
  readonly header: string;
  readonly data: Uint8Array;
  readonly reports: number;
}

/** Of the first report: milliseconds since the epoch. */
const BEGIN_MS = Date.UTC(2026, 2, 13, 14, 20);
/** Conversations under way at once; each is a key in Kafka. */
const CONTEXTS = 997;
const INSTANCE = "i1";

/**
 * Calls and their answers between two agents, each envelope reported by both ends: two reports an
 * envelope, in packs of {@link limits.PACK_RECORDS_MAX}, as a busy outbox fills them.
 */
export function* callStream(envelopes: number, bodyBytes: number): Generator<Pack> {
  const caller = new Sender("sre");
  const agent = new Sender("splunk");
  for (let nth = 0; nth < envelopes; nth++) {
    const envelope = callEnvelope(nth, bodyBytes);
    yield* caller.add({ ...envelope, side: "caller", instance: INSTANCE });
    yield* agent.add({ ...envelope, side: "agent", instance: INSTANCE });
  }
  yield* caller.flush();
  yield* agent.flush();
}

/**
 * Changes of tasks, which one end reports: one envelope a message, from `agents` agents in turn. What a
 * bridge carries that makes one Kafka record of one message.
 */
export function* eventStream(
  envelopes: number,
  bodyBytes: number,
  agents: number,
): Generator<Pack> {
  const senders = Array.from({ length: agents }, (_, index) => new Sender(agentName(index)));
  for (let nth = 0; nth < envelopes; nth++) {
    const sender = senders[nth % agents];
    if (!sender) return;
    yield* sender.add(taskEvent(nth, Math.floor(nth / agents), sender.name, bodyBytes));
    yield* sender.flush();
  }
}

/** The subjects of {@link eventStream}, in the order of its agents. */
export function eventSubjects(agents: number): string[] {
  return Array.from({ length: agents }, (_, index) => subjectOf(agentName(index)));
}

function agentName(index: number): string {
  return `agent-${index}`;
}

function subjectOf(reporter: string): string {
  return `audit.${reporter}.${INSTANCE}.0`;
}

/** One lane of an outbox. */
class Sender {
  readonly name: string;
  #records: AuditRecord[] = [];
  #pack = 0;
  #reported = 0;

  constructor(name: string) {
    this.name = name;
  }

  *add(record: AuditRecord): Generator<Pack> {
    this.#records.push(record);
    if (this.#records.length >= limits.PACK_RECORDS_MAX) yield* this.flush();
  }

  *flush(): Generator<Pack> {
    const reports = this.#records.length;
    if (reports === 0) return;
    this.#reported += reports;
    const counts = { pack: ++this.#pack, reported: this.#reported, lost: 0 };
    const header = formatPackHeader({ sender: `${this.name}-1`, ...counts, kind: "open" });
    yield { subject: subjectOf(this.name), header, data: packRecords(this.#records), reports };
    this.#records = [];
  }
}

type Envelope = Omit<AuditRecord, "side" | "instance">;

/** Even ones are requests, each followed by its response. */
function callEnvelope(nth: number, bodyBytes: number): Envelope {
  const call = nth >> 1;
  const isRequest = nth % 2 === 0;
  const id = uuid(call);
  const message = {
    messageId: uuid(nth + 1e6),
    contextId: uuid((call % CONTEXTS) + 2e6),
    role: isRequest ? "ROLE_USER" : "ROLE_AGENT",
  };
  const make = (text: string) =>
    isRequest
      ? {
          jsonrpc: "2.0",
          id,
          method: "SendMessage",
          params: { message: { ...message, parts: [{ text }] } },
        }
      : { jsonrpc: "2.0", id, result: { message: { ...message, parts: [{ text }] } } };
  const body = bodyOf(nth, bodyBytes, make);
  return {
    id: isRequest ? id : `${id}.r`,
    kind: isRequest ? "request" : "response",
    method: "SendMessage",
    caller: "sre",
    agent: "splunk",
    atMs: BEGIN_MS + nth,
    traceparent: traceparentOf(call),
    bytes: bodyBytes,
    body,
  };
}

function taskEvent(nth: number, ofAgent: number, agent: string, bodyBytes: number): AuditRecord {
  const taskId = uuid(nth % CONTEXTS);
  const contextId = uuid((nth % CONTEXTS) + 2e6);
  const make = (text: string) => ({
    statusUpdate: {
      taskId,
      contextId,
      status: {
        state: "TASK_STATE_WORKING",
        message: { messageId: uuid(nth + 1e6), role: "ROLE_AGENT", parts: [{ text }] },
      },
    },
  });
  return {
    id: `${agent}-${taskId}.e${ofAgent}`,
    side: "agent",
    kind: "task",
    method: "SendStreamingMessage",
    caller: "sre",
    agent,
    instance: INSTANCE,
    atMs: BEGIN_MS + nth,
    traceparent: traceparentOf(nth % CONTEXTS),
    bytes: bodyBytes,
    body: bodyOf(nth, bodyBytes, make),
  };
}

/** JSON of exactly `bytes` bytes of ASCII; its text fills what the rest leaves. */
function bodyOf(nth: number, bytes: number, make: (text: string) => object): string {
  const room = bytes - JSON.stringify(make("")).length;
  let text = "";
  for (let line = nth; text.length < room; line++) text += `${LINES[line % LINES.length]} `;
  return JSON.stringify(make(text.slice(0, room)));
}

const LINES = [
  "HikariPool-1 - Connection is not available, request timed out after 30000ms.",
  "payment-service: 150 times ERROR where 0 were expected, HTTP 503 in 5 minutes.",
  "window 2026-03-13T14:20:00.000Z..2026-03-13T14:25:00.000Z, 5,476 lines, 205 templates",
  "POST /api/v1/orders/<NUM>/pay took 1204 ms (p99 3.82 s), limit 1000 ms;",
  "GET /actuator/health 200 from 10.42.7.113:8080 after 3 retries,",
  "template 118 <*> status <NUM> trace 4bf92f3577b34da6a3ce929d0e0e4736",
  "gc pause 0.214 s, heap 812 MB of 1024 MB, threads 214, pool active=10 idle=0 waiting=37",
  "next: look for slow or blocked statements in the database payment-service uses.",
] as const;

/** Not random: the same on every run. */
function uuid(nth: number): string {
  const digits = Math.imul(nth + 1, 0x9e3779b1) >>> 0;
  const tail = nth.toString(16).padStart(12, "0");
  return `0195b1c0-${(digits >>> 16).toString(16).padStart(4, "0")}-7${tail.slice(-3)}-9${digits.toString(16).padStart(8, "0").slice(-3)}-${tail}`;
}

function traceparentOf(nth: number): string {
  const trace = uuid(nth + 3e6).replaceAll("-", "");
  return `00-${trace}-${trace.slice(16)}-01`;
}
