/**
 * The mirror: a pure state machine from the AUDIT stream to facts. It reads no clock and draws no
 * random number, so the same stream gives the same facts after any crash; time is the stream's own.
 */
import {
  type PackedRecord,
  type PackHeader,
  parsePackHeader,
  reporterOf,
  unpackBytes,
  withText,
} from "../../a2a/mod.ts";
import { messageOf } from "../../core/mod.ts";
import type { AuditMessage } from "../reader.ts";
import type { Fact, Place } from "./fact.ts";
import { type Open, Pairs } from "./pairs.ts";
import { Senders } from "./senders.ts";
import type { MirrorState } from "./state.ts";

export interface MirrorOptions {
  readonly stream: string;
  /** An envelope that one end reported is marked after this long. */
  readonly horizonMs: number;
  /** A sender that said nothing for this long, and no goodbye, is reported. */
  readonly silenceMs: number;
  /** True when the mirror sees every message of the stream: then a jump in sequence is a hole. */
  readonly isWhole: boolean;
}

/**
 * What has grown old is looked for once a second of stream time: of its whole seconds, so that a mirror
 * that began elsewhere looks at the same messages.
 */
const LOOK_EVERY_MS = 1_000;
const DIGEST_DIGITS = 32;

export class Mirror {
  readonly #options: MirrorOptions;
  readonly #senders: Senders;
  readonly #pairs: Pairs;
  #nextSeq: number;
  /** Stream time: the latest seen. A new stream leader's clock may be behind. */
  #nowMs: number;
  #lookedMs: number;
  /** Facts of the message at hand, and how many of them are notices. */
  #facts: Fact[] = [];
  #notices = 0;

  /** `nextSeq` is the first sequence that {@link accept} will be given if the stream has no hole. */
  constructor(options: MirrorOptions, from: { readonly nextSeq: number } | MirrorState) {
    this.#options = options;
    this.#nextSeq = from.nextSeq;
    const saved = "senders" in from ? from : undefined;
    this.#nowMs = saved?.nowMs ?? 0;
    this.#lookedMs = saved?.lookedMs ?? 0;
    this.#senders = new Senders(saved?.senders);
    this.#pairs = new Pairs(saved?.pairs);
  }

  /** The first sequence not yet accepted. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** Envelopes that wait for their other end. */
  get openCount(): number {
    return this.#pairs.openCount;
  }

  /** The whole state; made into bytes by encodeState. Valid until the next {@link accept}. */
  get state(): Omit<MirrorState, "tree" | "size"> {
    return {
      nextSeq: this.#nextSeq,
      nowMs: this.#nowMs,
      lookedMs: this.#lookedMs,
      senders: this.#senders.entries(),
      pairs: this.#pairs.saved,
    };
  }

  /** Moves on to `nextSeq` when the messages up to there are known not to come again. */
  goOnAt(nextSeq: number): void {
    this.#nextSeq = nextSeq;
  }

  /** Takes the next message of the stream and says what it brings, in order. */
  accept(message: AuditMessage): readonly Fact[] {
    this.#facts = [];
    this.#notices = 0;
    this.#nowMs = Math.max(this.#nowMs, message.timeMs);
    this.#lookForHole(message);
    this.#takePack(message);
    this.#nextSeq = message.seq + 1;
    if (tickOf(this.#nowMs) > tickOf(this.#lookedMs)) this.#lookForOld(message.seq);
    return this.#facts;
  }

  #lookForHole({ seq }: AuditMessage): void {
    if (!this.#options.isWhole || seq <= this.#nextSeq) return;
    this.#notice(seq, {
      kind: "gap",
      reason: "stream",
      sender: "",
      reporter: "",
      from: this.#nextSeq,
      to: seq - 1,
      missing: undefined,
    });
  }

  #takePack(message: AuditMessage): void {
    const { seq, subject, data } = message;
    const reporter = reporterOf(subject);
    if (reporter === undefined) return this.#poison(seq, 0, subject, "no report's subject", data);
    const header = headerOf(message.pack);
    if (typeof header === "string") return this.#poison(seq, 0, subject, header, data);
    const { records, malformed } = unpackBytes(data);
    const sender = `${reporter}.${header.sender}`;
    const held = records.length + (malformed ? 1 : 0);
    const accepted = this.#senders.accept(header, reporter, held, message.timeMs);
    if (accepted.isCopy) return;
    for (const hole of accepted.holes)
      this.#notice(seq, { kind: "gap", sender, reporter, ...hole });
    for (const [index, packed] of records.entries())
      this.#takeRecord(message, reporter, index, packed);
    if (malformed) this.#poison(seq, records.length, subject, malformed.place, malformed.rest);
  }

  #takeRecord(
    { seq, subject, timeMs }: AuditMessage,
    reporter: string,
    index: number,
    packed: PackedRecord,
  ): void {
    const { id, side, kind, caller, agent } = packed.meta;
    const claimed = side === "caller" ? caller : agent;
    if (claimed !== reporter) {
      const reason = `reported by "${reporter}" in the name of "${claimed}"`;
      this.#poison(seq, index, subject, reason, packed.body);
      return;
    }
    const report: Open = { side, digest: digestOf(packed.body), seq, index, timeMs };
    const isAlone = kind === "task" || kind === "alarm";
    const match = this.#pairs.take(id, report, isAlone);
    // A second report that confirms the first is half of the stream, and never becomes text.
    if (match.kind === "new") {
      this.#facts.push({
        kind: "envelope",
        place: this.#place(seq, index),
        timeMs: this.#nowMs,
        record: withText(packed),
      });
    } else if (match.kind === "late") {
      this.#notice(seq, {
        kind: "confirmed",
        id,
        side,
        ...this.#firstOf(match.first),
      });
    } else if (match.kind === "conflict") {
      const { first } = this.#firstOf(match.first);
      this.#notice(seq, { kind: "conflict", record: withText(packed), first });
    }
  }

  /** Marks what waited too long, and names who fell silent. */
  #lookForOld(seq: number): void {
    this.#lookedMs = this.#nowMs;
    for (const [id, first] of this.#pairs.expire(this.#nowMs - this.#options.horizonMs))
      this.#notice(seq, { kind: "unconfirmed", id, side: first.side, ...this.#firstOf(first) });
    for (const [sender, last] of this.#senders.silentSince(this.#nowMs - this.#options.silenceMs)) {
      const { reporter, lastMs, pack: packs, reported } = last;
      this.#notice(seq, { kind: "silence", sender, reporter, lastMs, packs, reported });
    }
  }

  #firstOf(first: Open): { first: Place; firstMs: number } {
    return { first: this.#place(first.seq, first.index), firstMs: first.timeMs };
  }

  #notice(seq: number, fact: Unplaced): void {
    const place = this.#place(seq, this.#notices++);
    this.#facts.push({ ...fact, place, timeMs: this.#nowMs });
  }

  #poison(seq: number, index: number, subject: string, reason: string, raw: Uint8Array): void {
    const place = this.#place(seq, index);
    this.#facts.push({ kind: "poison", place, timeMs: this.#nowMs, subject, reason, raw });
  }

  #place(seq: number, index: number): Place {
    return { stream: this.#options.stream, seq, index };
  }
}

/** A notice before it has its place: distributive, so that each kind keeps its own fields. */
type Unplaced = Notice extends infer One
  ? One extends Fact
    ? Omit<One, "place" | "timeMs">
    : never
  : never;
type Notice = Exclude<Fact, { kind: "envelope" | "poison" }>;

function digestOf(body: Uint8Array): string {
  return Bun.SHA256.hash(body, "hex").slice(0, DIGEST_DIGITS);
}

/** The pack header, or what is wrong with it. */
function headerOf(text: string | undefined): PackHeader | string {
  try {
    return text === undefined ? "no pack header" : parsePackHeader(text);
  } catch (error) {
    return messageOf(error);
  }
}

function tickOf(ms: number): number {
  return Math.floor(ms / LOOK_EVERY_MS);
}
