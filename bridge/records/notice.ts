/**
 * Notices: what the bridge itself has to say about the audit. A notice is JSON with fields that never
 * change their meaning; new ones may come, and a reader passes over what it does not know.
 */
import type { AuditRecord } from "../../a2a/mod.ts";
import type { EnvelopeFact, Fact, Place } from "../mirror/fact.ts";
import { JSON_TYPE } from "./body.ts";
import { type AuditEvent, recordId } from "./event.ts";
import { callOf } from "./ids.ts";
import { instantText, safeText, timeText } from "./text.ts";

const TEXT_CHARS_MAX = 16_384;

export type NoticeFact = Exclude<Fact, EnvelopeFact>;

/** The data of a notice. Which fields there are depends on `notice`; docs/records.md has the table. */
export interface Notice {
  /** `unconfirmed`, `confirmed`, `conflict`, `gap`, `silence` or `poison`. */
  readonly notice: string;
  /** The message of the stream that brought it about. */
  readonly stream: string;
  readonly seq: number;
  /** The envelope it is about, and which end reports this time. */
  readonly envelope?: string;
  readonly side?: string;
  /** `id` of the record that holds the envelope, and when its report was stored. */
  readonly record?: string;
  readonly since?: string;
  /** Of a conflict: SHA-256 of the two unredacted bodies, hexadecimal, the first 32 digits. */
  readonly reason?: string;
  readonly sender?: string;
  readonly reporter?: string;
  /** First and last number that is missing, and how many reports, as far as it is known. */
  readonly from?: number;
  readonly to?: number;
  readonly missing?: number;
  /** What a sender that fell silent had said. */
  readonly packs?: number;
  readonly reported?: number;
  readonly lastSeen?: string;
  /** Of poison: where it was published, and SHA-256 of all that came, after redaction. */
  readonly subject?: string;
  readonly sha256?: string;
  /** Of poison and conflicts: length of what was reported, as it came. */
  readonly bytes?: number;
  /** What was reported, redacted, as far as there is room for it. */
  readonly body?: string;
}

export interface NoticeOptions {
  readonly redactionVersion: string;
  /** The conflicting or parked body as it may be shown: redacted. */
  readonly body?: string;
}

/** The event of anything but an envelope. Its id is derived from its place, so a rerun makes it again. */
export function noticeEvent(fact: NoticeFact, options: NoticeOptions): AuditEvent {
  const { place, timeMs } = fact;
  const { stream, seq } = place;
  const body = options.body === undefined ? {} : { body: cut(options.body) };
  const words = wordsOf(fact, options);
  const notice: Notice = { notice: fact.kind, stream, seq, ...words, ...body };
  const extensions: Record<string, string> = {
    redaction: safeText(options.redactionVersion),
    streamtime: instantText(timeMs),
  };
  if (notice.envelope !== undefined) extensions.envelopeid = safeText(notice.envelope);
  if (notice.reporter) extensions.agent = safeText(notice.reporter);
  return {
    type: `petrel.audit.${fact.kind}.v1`,
    id: noticeId(fact),
    source: "/petrel/audit",
    timeMs,
    key: keyOf(fact, notice),
    extensions,
    contentType: JSON_TYPE,
    data: JSON.stringify(notice),
  };
}

/**
 * A parked report takes the place of the record it did not become; a notice counts in its message apart
 * from the records (`n`), and what begins a tree (`r`) or a hole in the stream (`s`) apart from both.
 */
function noticeId(fact: NoticeFact): string {
  const { stream, seq, index } = fact.place;
  if (fact.kind === "poison") return recordId(fact.place);
  const series = fact.kind === "gap" ? (GAP_SERIES[fact.reason] ?? "n") : "n";
  return `${safeText(stream)}:${seq}.${series}${index}`;
}

const GAP_SERIES: Readonly<Record<string, string>> = { resumed: "r", stream: "s" };

/** What is about an envelope goes by its call, what is about a sender by the sender. */
function keyOf(fact: NoticeFact, { envelope, sender, stream }: Notice): string {
  if (envelope !== undefined) return safeText(callOf(envelope)) || noticeId(fact);
  return safeText(sender || stream) || noticeId(fact);
}

function wordsOf(fact: NoticeFact, { body }: NoticeOptions): Partial<Notice> {
  switch (fact.kind) {
    case "unconfirmed":
    case "confirmed":
      return { ...about(fact), since: timeText(fact.firstMs) };
    case "conflict": {
      const { id, side, bytes } = fact.record;
      return { ...about({ id, side, first: fact.first }), bytes };
    }
    case "gap": {
      const { reason, sender, reporter, from, to, missing } = fact;
      return { reason, sender, reporter, from, to, missing };
    }
    case "silence": {
      const { sender, reporter, packs, reported, lastMs } = fact;
      return { sender, reporter, packs, reported, lastSeen: timeText(lastMs) };
    }
    case "poison": {
      const { subject, reason, raw } = fact;
      return {
        reason: cut(reason),
        subject: cut(subject),
        // Never of what was not redacted: a few digits could be guessed from their hash.
        ...(body !== undefined && { sha256: sha256Of(body) }),
        bytes: raw.length,
      };
    }
    default:
      fact satisfies never;
      return {};
  }
}

function about(of: {
  readonly id: string;
  readonly side: AuditRecord["side"];
  readonly first: Place;
}): Partial<Notice> {
  return { envelope: of.id, side: of.side, record: recordId(of.first) };
}

/** A notice is small, whatever it is about. */
function cut(text: string): string {
  return text.slice(0, TEXT_CHARS_MAX).toWellFormed();
}

function sha256Of(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}
