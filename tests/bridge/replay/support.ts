/** Records of a trail for tests of its replay, made as the bridge makes them. */
import type { AuditRecord } from "../../../a2a/mod.ts";
import { envelopeEvent } from "../../../bridge/records/event.ts";
import { noticeEvent } from "../../../bridge/records/notice.ts";
import type { TrailEntry } from "../../../bridge/replay/entry.ts";

export const BEGIN_MS = 1_700_000_000_000;

export interface Given extends Partial<Omit<AuditRecord, "body" | "id">> {
  readonly id: string;
  readonly body: unknown;
}

/** A trail that records are appended to, one per message. */
export class TrailOf {
  readonly entries: TrailEntry[] = [];

  add({ body, ...given }: Given): TrailEntry {
    const seq = this.entries.length + 1;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const meta = {
      side: "agent",
      kind: "task",
      method: "SendMessage",
      caller: "sre",
      agent: "splunk",
      instance: "i1",
      atMs: BEGIN_MS + seq,
      bytes: Buffer.byteLength(text),
      ...given,
    } as const;
    const place = { stream: "AUDIT", seq, index: 0 };
    const event = envelopeEvent({
      meta,
      body: text,
      place,
      atMs: meta.atMs,
      reportedBy: meta.side,
      redactionVersion: "test",
    });
    const entry = { event, seq, index: 0 };
    this.entries.push(entry);
    return entry;
  }

  /** The notice that only one end reported an envelope. */
  addUnconfirmed(id: string): TrailEntry {
    const seq = this.entries.length + 1;
    const place = { stream: "AUDIT", seq, index: 0 };
    const fact = { kind: "unconfirmed", id, side: "caller", place, first: place } as const;
    const event = noticeEvent(
      { ...fact, timeMs: BEGIN_MS + seq, firstMs: BEGIN_MS },
      { redactionVersion: "test" },
    );
    const entry = { event, seq, index: 1_000_000 };
    this.entries.push(entry);
    return entry;
  }
}

export function status(taskId: string, state: string, text?: string): object {
  const message = { messageId: `m-${text}`, role: "ROLE_AGENT", parts: [{ text }] };
  const said = text === undefined ? {} : { message };
  return { statusUpdate: { taskId, contextId: "c1", status: { state, ...said } } };
}

export function chunk(
  taskId: string,
  artifactId: string,
  text: string,
  more: { readonly append?: boolean; readonly lastChunk?: boolean } = {},
): object {
  const artifact = { artifactId, name: artifactId, parts: [{ text }] };
  return { artifactUpdate: { taskId, contextId: "c1", artifact, ...more } };
}

export function begun(taskId: string, text = "hello"): object {
  const message = { messageId: "m1", role: "ROLE_USER", parts: [{ text }], taskId };
  const working = { state: "TASK_STATE_WORKING" };
  return { task: { id: taskId, contextId: "c1", status: working, history: [message] } };
}

export function answer(result: unknown): object {
  return { jsonrpc: "2.0", id: "1", result };
}
