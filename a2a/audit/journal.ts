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
    this.#tail = page.get("tail");
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
      throw new PetrelError(
        "UNAVAILABLE",
        `audit: no outbox of ${bytes} bytes at ${path}: ${messageOf(error)}`,
        { path, bytes },
        error,
      );
    }
  }

  /** Opens what another process left. Throws PROTOCOL_VIOLATION saying what is wrong with it. */
  static open(path: string): Journal {
    const stat = statSync(path);
    const bytes = stat.isFile() ? stat.size : 0;
    if (bytes <= DATA_AT || bytes > BYTES_MAX) throw malformed("size", `${bytes} bytes`);
    const map = mapped(path);
    const journal = new Journal(path, new JournalPage(map), map);
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
    return this.#page.get("lost");
  }

  /** Counts a record that found no room. */
  lose(): void {
    this.#page.put("lost", this.lost + 1);
  }

  /** Says that the owner lives. */
  touch(nowMs: number): void {
    this.#page.aliveAtMs = nowMs;
  }

  get aliveAtMs(): number {
    return this.#page.aliveAtMs;
  }

  /**
   * Writes a record behind the others; false when there is no room for it now. Throws INTERNAL for a
   * record whose id or length is wrong, and TOO_LARGE for one that can never be stored.
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
    this.#page.put("tail", at + need);
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

  /** Makes the oldest records the pack in flight, or an empty pack of `kind`. Nothing else is in flight. */
  take(kind: PackKind): Flight | undefined {
    const { head, pack, reported } = this.#state;
    const empty = { start: head, end: head, records: 0 };
    const span = kind === "open" ? this.#packs.shift() : empty;
    if (!span) return undefined;
    this.#become({
      head: span.start,
      end: span.end,
      pack: pack + 1,
      reported: reported + span.records,
      lost: this.lost,
      flight: KINDS.indexOf(kind) + 1,
      records: span.records,
    });
    return this.flight;
  }

  /** The pack in flight is stored: its bytes may be written over. */
  acknowledge(): void {
    const { end, records } = this.#state;
    this.#pending -= records;
    let head = end;
    if (this.#packs.length === 0) {
      // Everything is stored. In this order each step leaves an empty ring behind the pack in flight.
      this.#page.put("wrap", end);
      this.#page.put("tail", DATA_AT);
      this.#tail = head = DATA_AT;
    }
    this.#become({ ...this.#state, head, end: head, flight: 0, records: 0 });
  }

  /** Takes the file away. What is mapped stays readable until nobody refers to it. */
  remove(): void {
    rmSync(this.path, { force: true });
  }

  #become(state: SenderState): void {
    this.#page.writeState(state);
    this.#state = state;
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
    if (![head, end, wrap, this.#tail].every(sane) || end < head || this.lost < 0) {
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
