/**
 * What stands in the first page of a journal. The fields that change are stored so that a process
 * killed between any two instructions leaves a journal that means something: the end of the data moves
 * by one store after the bytes are there, and the sender's state is written twice over, in turns, and
 * switched by one store.
 *
 * Whoever takes a journal over closes these words first, by their sign bit. Their owner moves them by
 * comparing and exchanging, across processes, for the page is one for all who map it. So an owner that
 * was only frozen cannot add a record or make a pack after that, not even if it had begun to: either its
 * step counts and the heir sees it, or it fails and the owner learns that the journal is no longer its own.
 *
 *     0    "PETRELJ1"
 *     8    length and CRC-32 of the identity
 *     16   tail, wrap, which state counts, records lost: 32 bits each
 *     32   when its owner was last alive: a double, ms since the epoch
 *     64   the state, and at 128 its other copy: doubles
 *     256  the identity: JSON
 *     4096 the data
 */
import { z } from "zod";
import { isSubjectToken, messageOf, PetrelError } from "../../core/mod.ts";

export const DATA_AT = 4_096;
const MAGIC = "PETRELJ1";
const IDENTITY_AT = 256;
const STATES_AT = [64, 128] as const;

/** Indices of 32 bits. */
const WORD = {
  identityBytes: 2,
  identityCrc: 3,
  tail: 4,
  wrap: 5,
  state: 6,
  lost: 7,
} as const;
/** What an owner may move, and an heir closes. */
const OWNED = ["tail", "state", "lost"] as const;
type Owned = (typeof OWNED)[number];
const CLOSED = -0x8000_0000;
const VALUE = 0x7fff_ffff;
/** Index of 64 bits. */
const ALIVE = 4;

const Token = z.string().refine(isSubjectToken, "must be a token");

/** Whose journal it is, written once. */
export const JournalIdentity = z.strictObject({
  v: z.literal(1),
  host: z.string().max(255),
  /** Our name, our process and the shard: the subject of its packs. */
  name: Token,
  instance: Token,
  shard: z.number().int().min(0).max(63),
  sender: Token,
  /** Where its owner was connected: its packs belong there and nowhere else. */
  servers: z.array(z.string().max(300)).max(32).readonly(),
});
export type JournalIdentity = z.infer<typeof JournalIdentity>;

/** What a sender has come to. */
export interface SenderState {
  /** Where the oldest record begins that is not known to be stored. */
  readonly head: number;
  /** End of the pack in flight, which begins at `head`. */
  readonly end: number;
  /** Number of the last pack that was taken, 0 before the first. */
  readonly pack: number;
  /** Records in packs 1 to `pack`. */
  readonly reported: number;
  /** What the pack in flight says of records lost. */
  readonly lost: number;
  /** 0 nothing in flight; 1 open, 2 beat, 3 end. */
  readonly flight: number;
  /** Records in the pack in flight. */
  readonly records: number;
}

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const SenderState = z.strictObject({
  head: count.min(DATA_AT),
  end: count.min(DATA_AT),
  pack: count,
  reported: count,
  lost: count,
  flight: count.max(3),
  records: count,
});

const FIRST_STATE: SenderState = {
  head: DATA_AT,
  end: DATA_AT,
  pack: 0,
  reported: 0,
  lost: 0,
  flight: 0,
  records: 0,
};

/** The first page of a mapped journal. */
export class JournalPage {
  readonly #map: Uint8Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor(map: Uint8Array) {
    this.#map = map;
    this.#words = new Int32Array(map.buffer, map.byteOffset, DATA_AT / 4);
    this.#doubles = new Float64Array(map.buffer, map.byteOffset, DATA_AT / 8);
  }

  /** Writes a page of a new journal; its magic last, so that a half-written one is none. */
  begin(identity: JournalIdentity): void {
    const text = Buffer.from(JSON.stringify(identity));
    if (IDENTITY_AT + text.length > DATA_AT) {
      throw new PetrelError("USAGE", "audit: too many servers, or too long, for an outbox", {
        path: "servers",
      });
    }
    this.#map.set(text, IDENTITY_AT);
    this.put("identityBytes", text.length);
    this.put("identityCrc", Bun.hash.crc32(text) | 0);
    this.put("tail", DATA_AT);
    this.put("wrap", DATA_AT);
    this.writeState(FIRST_STATE);
    this.#map.set(Buffer.from(MAGIC), 0);
  }

  /** Throws PROTOCOL_VIOLATION naming what is wrong. */
  identity(): JournalIdentity {
    const magic = Buffer.from(this.#map.subarray(0, MAGIC.length)).toString("latin1");
    if (magic !== MAGIC) throw malformed("magic", "not a journal of this version");
    const bytes = this.get("identityBytes");
    if (bytes <= 0 || IDENTITY_AT + bytes > DATA_AT) throw malformed("identity", "length");
    const text = this.#map.subarray(IDENTITY_AT, IDENTITY_AT + bytes);
    if ((Bun.hash.crc32(text) | 0) !== this.get("identityCrc")) {
      throw malformed("identity", "checksum");
    }
    try {
      return JournalIdentity.parse(JSON.parse(Buffer.from(text).toString("utf8")));
    } catch (error) {
      throw malformed("identity", messageOf(error));
    }
  }

  /** One store that the compiler moves nothing across. */
  put(word: keyof typeof WORD, value: number): void {
    Atomics.store(this.#words, WORD[word], value);
  }

  get(word: keyof typeof WORD): number {
    return Atomics.load(this.#words, WORD[word]);
  }

  /** What an owned word says, whether or not it was closed. */
  valueOf(word: Owned): number {
    return this.get(word) & VALUE;
  }

  /** Moves a word on; false, and nothing is changed, when it was closed. */
  move(word: Owned, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#words, WORD[word], from, to) === from;
  }

  /** Nobody who maps this page moves anything any more. */
  close(): void {
    for (const word of OWNED) Atomics.or(this.#words, WORD[word], CLOSED);
  }

  get isClosed(): boolean {
    return OWNED.some((word) => this.get(word) < 0);
  }

  /** Writes the copy that does not count, then makes it the one that does; false when the page was closed. */
  writeState(state: SenderState): boolean {
    const current = this.valueOf("state");
    const next = current === 0 ? 1 : 0;
    const at = STATES_AT[next] / 8;
    const { head, end, pack, reported, lost, flight, records } = state;
    this.#doubles.set([head, end, pack, reported, lost, flight, records], at);
    return this.move("state", current, next);
  }

  /** Throws PROTOCOL_VIOLATION naming what is wrong. */
  readState(): SenderState {
    const at = (STATES_AT[this.valueOf("state")] ?? 0) / 8;
    if (at === 0) throw malformed("state", "which one");
    const [head, end, pack, reported, lost, flight, records] = this.#doubles.subarray(at, at + 7);
    const read = SenderState.safeParse({ head, end, pack, reported, lost, flight, records });
    if (read.success) return read.data;
    throw malformed("state", String(read.error.issues[0]?.path[0]));
  }

  get aliveAtMs(): number {
    return this.#doubles[ALIVE] ?? 0;
  }

  set aliveAtMs(nowMs: number) {
    this.#doubles[ALIVE] = nowMs;
  }
}

export function malformed(place: string, what: string): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `journal: ${place}: ${what}`, { place });
}
