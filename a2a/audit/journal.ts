/**
 * A journal: the records of one lane that are not stored yet, in a file that is mapped into memory.
 *
 * A record is there for good, as far as the death of this process goes, when {@link Journal.append}
 * returns: its bytes stand in the kernel's page cache, without a system call and without a copy. It is
 * no protection against a power cut: nothing is synced. What is sent is a window on the map.
 *
 * The file is a ring. A record never goes across its end, a pack neither. When everything is stored it
 * starts over at the beginning, so that a process that keeps up touches few pages. Its length is
 * written out with zeros when it is made: a full disk is an error at the start, and no page is missing
 * later, which would end the process (SIGBUS).
 *
 * An heir closes the journal and goes on in a copy, so that an owner that was frozen, not dead, can
 * spoil nothing when it wakes. What a pack holds is decided by one exchange on the first page, which
 * fails from then on: whichever of the two sends a pack, or both, it is the same to the byte.
 */
import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { limits, messageOf, PetrelError } from "../../core/mod.ts";
import { UNFINISHED } from "./folder.ts";
import {
  DATA_AT,
  type JournalIdentity,
  JournalPage,
  malformed,
  type SenderState,
} from "./layout.ts";
import type { PackHeader, PackKind } from "./pack.ts";
import { type AuditRecord, isRecordId, metaLine, recordEnds } from "./record.ts";

/** A pack on its way, the same after a crash as before it. */
export interface Flight extends PackHeader {
  readonly records: number;
  readonly data: Uint8Array;
}

interface Span {
  readonly start: number;
  end: number;
  records: number;
}

const KINDS: readonly PackKind[] = ["open", "beat", "end"];
const NEWLINE = 10;
const ZEROS = new Uint8Array(1024 * 1024);
/** No journal of ours is larger; what claims to be is not mapped. */
const BYTES_MAX = 1024 * 1024 * 1024;

export class Journal {
  readonly path: string;
  readonly identity: JournalIdentity;
  readonly #map: Buffer;
  readonly #page: JournalPage;
  /** Packs to be, oldest first. The last one grows until it is taken. */
  readonly #packs: Span[] = [];
  #state: SenderState;
  #tail: number;
  #pending = 0;

  private constructor(path: string, page: JournalPage, map: Buffer) {
    this.path = path;
    this.#page = page;
    this.#map = map;
    this.identity = page.identity();
    this.#state = page.readState();
    this.#tail = page.valueOf("tail");
  }

  /** Makes a journal at `path`, which is not there yet. Throws UNAVAILABLE naming the path. */
  static create(path: string, identity: JournalIdentity, bytes: number): Journal {
    const unfinished = `${path}${UNFINISHED}`;
    try {
      allocate(unfinished, bytes);
      const map = mapped(unfinished);
      const page = new JournalPage(map);
      page.begin(identity);
      renameSync(unfinished, path);
      return new Journal(path, page, map);
    } catch (error) {
      rmSync(unfinished, { force: true });
      throw noRoom(path, bytes, error);
    }
  }

  /** Opens what a dead process left. Throws PROTOCOL_VIOLATION saying what is wrong with it. */
  static open(path: string): Journal {
    return Journal.#read(path, () => {});
  }

  /**
   * Takes a journal from whoever still maps it: what was in it when it was closed goes on, under its
   * path, in a file of our own. Throws PROTOCOL_VIOLATION as {@link open} does, and UNAVAILABLE when
   * there is no room for the copy; the closed journal stays then, and can be adopted later.
   */
  static adopt(path: string, nowMs: number): Journal {
    const left = Journal.#read(path, (page) => page.close());
    const unfinished = `${path}${UNFINISHED}`;
    try {
      left.#copy(unfinished, nowMs);
      renameSync(unfinished, path);
    } catch (error) {
      rmSync(unfinished, { force: true });
      throw noRoom(path, left.#map.length, error);
    }
    return Journal.open(path);
  }

  static #read(path: string, onPage: (page: JournalPage) => void): Journal {
    const stat = statSync(path);
    const bytes = stat.isFile() ? stat.size : 0;
    if (bytes <= DATA_AT || bytes > BYTES_MAX) throw malformed("size", `${bytes} bytes`);
    const map = mapped(path);
    const page = new JournalPage(map);
    page.identity();
    onPage(page);
    const journal = new Journal(path, page, map);
    journal.#recover();
    return journal;
  }

  /** Records that are not known to be stored, the pack in flight included. */
  get pending(): number {
    return this.#pending;
  }

  /** Packs taken so far. */
  get packs(): number {
    return this.#state.pack;
  }

  /** True when the next pack is as large as it may become. */
  get hasFullPack(): boolean {
    return this.#packs.length > 1;
  }

  get bytes(): number {
    return this.#map.length - DATA_AT;
  }

  get lost(): number {
    return this.#page.valueOf("lost");
  }

  /** True once another process took this journal over: nothing that is done to it counts any more. */
  get isAdopted(): boolean {
    return this.#page.isClosed;
  }

  /** Where the last record ends. */
  get tail(): number {
    return this.#tail;
  }

  /** Counts records that found no room; false when the journal was adopted. */
  lose(records = 1): boolean {
    return this.#page.move("lost", this.lost, this.lost + records);
  }

  /** Says that the owner lives. */
  touch(nowMs: number): void {
    this.#page.aliveAtMs = nowMs;
  }

  get aliveAtMs(): number {
    return this.#page.aliveAtMs;
  }

  /**
   * Writes a record behind the others; false when there is no room for it now, or the journal was
   * adopted. Throws INTERNAL for a record whose id or length is wrong, and TOO_LARGE for one that can
   * never be stored.
   */
  append(record: AuditRecord): boolean {
    const { id, body, bytes } = record;
    if (!isRecordId(id)) throw new PetrelError("INTERNAL", "audit: a record's id is malformed");
    const meta = metaLine(record);
    const metaBytes = Buffer.byteLength(meta);
    const need = metaBytes + bytes + 1;
    if (need > RECORD_BYTES_MAX) {
      throw new PetrelError("TOO_LARGE", `audit: record ${id} has ${need} bytes`, {
        limit: RECORD_BYTES_MAX,
      });
    }
    const at = this.#place(need);
    if (at === undefined) return false;
    this.#map.write(meta, at);
    const written = this.#map.write(body, at + metaBytes, bytes);
    if (written !== bytes || Buffer.byteLength(body) !== bytes) {
      throw new PetrelError("INTERNAL", `audit: record ${id} has another length than it says`);
    }
    this.#map[at + need - 1] = NEWLINE;
    if (at < this.#tail) this.#page.put("wrap", this.#tail);
    // Only now does the record exist: a crash before this line leaves the journal as it was.
    if (!this.#page.move("tail", this.#tail, at + need)) return false;
    this.#tail = at + need;
    this.#pending++;
    this.#intoPack(at, at + need);
    return true;
  }

  /** The pack in flight, if there is one: it goes out until it is acknowledged. */
  get flight(): Flight | undefined {
    const { head, end, pack, reported, lost, flight, records } = this.#state;
    const kind = KINDS[flight - 1];
    if (!kind) return undefined;
    const { sender } = this.identity;
    return { sender, pack, reported, lost, kind, records, data: this.#map.subarray(head, end) };
  }

  /**
   * Makes the oldest records the pack in flight, or an empty pack of `kind`. Nothing else is in flight.
   * Undefined when there are none, or the journal was adopted.
   */
  take(kind: PackKind): Flight | undefined {
    const { head, pack, reported } = this.#state;
    const empty = { start: head, end: head, records: 0 };
    const span = kind === "open" ? this.#packs.shift() : empty;
    if (!span) return undefined;
    const isOurs = this.#become({
      head: span.start,
      end: span.end,
      pack: pack + 1,
      reported: reported + span.records,
      lost: this.lost,
      flight: KINDS.indexOf(kind) + 1,
      records: span.records,
    });
    return isOurs ? this.flight : undefined;
  }

  /** The pack in flight is stored: its bytes may be written over. False when the journal was adopted. */
  acknowledge(): boolean {
    const { end, records } = this.#state;
    let head = end;
    if (this.#packs.length === 0) {
      // Everything is stored. In this order each step leaves an empty ring behind the pack in flight.
      this.#page.put("wrap", end);
      if (!this.#page.move("tail", this.#tail, DATA_AT)) return false;
      this.#tail = head = DATA_AT;
    }
    if (!this.#become({ ...this.#state, head, end: head, flight: 0, records: 0 })) return false;
    this.#pending -= records;
    return true;
  }

  /**
   * Takes back the record that ends at `end`, unless it is in the pack in flight or before it. It
   * stands in the file until its bytes are written over: who dies before that has it sent after all.
   */
  withdraw(end: number): boolean {
    const index = this.#packs.findIndex((span) => span.start < end && end <= span.end);
    const span = this.#packs[index];
    if (!span) return false;
    const ends = recordEnds(this.#map.subarray(span.start, span.end));
    const nth = ends.indexOf(end - span.start);
    if (nth < 0) return false;
    const start = span.start + (ends[nth - 1] ?? 0);
    const before = { start: span.start, end: start, records: nth };
    const after = { start: end, end: span.end, records: ends.length - nth - 1 };
    this.#packs.splice(index, 1, ...[before, after].filter(({ records }) => records > 0));
    this.#pending--;
    return true;
  }

  /** Takes the file away. What is mapped stays readable until nobody refers to it. */
  remove(): void {
    rmSync(this.path, { force: true });
  }

  #become(state: SenderState): boolean {
    if (!this.#page.writeState(state)) return false;
    this.#state = state;
    return true;
  }

  /** Writes what is pending into a journal that has room for nothing else. */
  #copy(path: string, nowMs: number): void {
    const { head, end } = this.#state;
    const spans = [{ start: head, end }, ...this.#packs];
    const bytes = spans.reduce((sum, span) => sum + span.end - span.start, 0);
    allocate(path, DATA_AT + Math.max(1, bytes));
    const map = mapped(path);
    let at = DATA_AT;
    for (const span of spans) {
      map.set(this.#map.subarray(span.start, span.end), at);
      at += span.end - span.start;
    }
    const page = new JournalPage(map);
    page.begin(this.identity);
    page.put("tail", at);
    page.put("wrap", at);
    page.put("lost", this.lost);
    page.writeState({ ...this.#state, head: DATA_AT, end: DATA_AT + end - head });
    page.aliveAtMs = nowMs;
  }

  /** Where `need` bytes fit. A wrapped ring never becomes full to the last byte: that would be empty. */
  #place(need: number): number | undefined {
    const { head } = this.#state;
    const tail = this.#tail;
    if (tail < head) return tail + need < head ? tail : undefined;
    if (tail + need <= this.#map.length) return tail;
    return DATA_AT + need < head ? DATA_AT : undefined;
  }

  #intoPack(start: number, end: number): void {
    const last = this.#packs.at(-1);
    const fits =
      last?.end === start &&
      last.records < limits.PACK_RECORDS_MAX &&
      end - last.start <= limits.PACK_BYTES_MAX;
    if (!fits) {
      this.#packs.push({ start, end, records: 1 });
      return;
    }
    last.end = end;
    last.records++;
  }

  /** Finds the packs of a journal that was left. Throws PROTOCOL_VIOLATION unless all of it makes sense. */
  #recover(): void {
    const { head, end, flight, records } = this.#state;
    const wrap = this.#page.get("wrap");
    const size = this.#map.length;
    const sane = (offset: number) => offset >= DATA_AT && offset <= size;
    if (![head, end, wrap, this.#tail].every(sane) || end < head) {
      throw malformed("state", "offsets");
    }
    if (flight !== 1 && end !== head) throw malformed("state", "a pack without a kind");
    const inFlight = recordEnds(this.#map.subarray(head, end));
    if (inFlight.length !== records) throw malformed("state", "records of the pack in flight");
    this.#pending = records;
    if (this.#tail >= end) {
      this.#recoverSpan(end, this.#tail);
      return;
    }
    if (wrap < end) throw malformed("wrap", "before the records");
    this.#recoverSpan(end, wrap);
    this.#recoverSpan(DATA_AT, this.#tail);
  }

  #recoverSpan(start: number, end: number): void {
    let from = start;
    for (const offset of recordEnds(this.#map.subarray(start, end))) {
      this.#intoPack(from, start + offset);
      from = start + offset;
      this.#pending++;
    }
  }
}

/** An envelope of the largest size and its meta: also what a NATS message may hold. */
const RECORD_BYTES_MAX = limits.ENVELOPE_BYTES_MAX + 4_096;

/** The smallest journal that takes every record. */
export const JOURNAL_BYTES_MIN = 2 * RECORD_BYTES_MAX + DATA_AT;

function noRoom(path: string, bytes: number, cause: unknown): PetrelError {
  return new PetrelError(
    "UNAVAILABLE",
    `audit: no outbox of ${bytes} bytes at ${path}: ${messageOf(cause)}`,
    { path, bytes },
    cause,
  );
}

function allocate(path: string, bytes: number): void {
  const file = openSync(path, "wx", 0o600);
  try {
    for (let at = 0; at < bytes; ) {
      at += writeSync(file, ZEROS, 0, Math.min(ZEROS.length, bytes - at), at);
    }
  } finally {
    closeSync(file);
  }
}

function mapped(path: string): Buffer {
  const map = Bun.mmap(path, { shared: true });
  return Buffer.from(map.buffer, map.byteOffset, map.byteLength);
}
