/**
 * The book: what has to be known to decide about incidents, in one KV value that is changed by
 * compare-and-set alone, so that SRE agents that work on several windows at once decide one after the
 * other. It holds the incidents that are not over, and what has still to be told of them; everything
 * else about an incident is in its own record (record.ts).
 */
import { z } from "zod";
import { Change, Incident, Silence, Token } from "./record.ts";

/** Incidents that are not over. One more is told as one incident about there being too many. */
export const HEADS_MAX = 300;
/** What they may weigh for another to begin: the book is one message, and theirs is most of it. */
export const HEADS_BYTES_MAX = 600 * 1024;
/** Investigations remembered, so that none counts twice. */
export const TAKEN_MAX = 500;
export const SILENCES_MAX = 200;
export const SILENCES_BYTES_MAX = 128 * 1024;
export const HEAD_SERVICES_MAX = 20;
/** Changes of one incident that are still to be told. */
export const PENDING_MAX = 20;

/** A change that is decided and not yet done with: recorded, made an event, told. */
export const Pending = Change.omit({ deliveries: true }).extend({
  /** Whether sinks are told. */
  isTold: z.boolean(),
  /** The process that sees to it. */
  owner: Token,
});
export type Pending = z.infer<typeof Pending>;

/** What of an incident decides about it, and what only deciding needs. */
export const Head = Incident.pick({
  id: true,
  fingerprint: true,
  kind: true,
  state: true,
  severity: true,
  service: true,
  mechanism: true,
  location: true,
  confidence: true,
  openedAt: true,
  updatedAt: true,
  resolvedAt: true,
  firstWindow: true,
  lastWindow: true,
  silencedBy: true,
  investigation: true,
}).extend({
  services: Incident.shape.services.max(HEAD_SERVICES_MAX),
  windows: z.number().int().min(1),
  /** Quiet windows since the last one that showed it, and where the last of them ended. */
  quiet: z.number().int().min(0),
  quietUntil: z.string().optional(),
  /** Ends of the windows in which it was resolved or opened again, lately. */
  flips: z.array(z.string()).max(100),
  isFlapping: z.boolean(),
  /** A person said that it is none: what it shows is normal from then on. */
  isRejected: z.boolean().optional(),
  /** What sinks believe. */
  told: z.enum(["nothing", "open", "resolved"]),
  /** End of the window in which sinks were last told. */
  toldUntil: z.string().optional(),
  /** What is new since, in words, and waits for its turn. */
  news: z.array(z.string().max(300)).max(10),
  /** Of its last change. */
  seq: z.number().int().min(0),
  pending: z.array(Pending).max(PENDING_MAX + 2),
});
export type Head = z.infer<typeof Head>;

export const BOOK_VERSION = 1;

export const Book = z.strictObject({
  /** Raised with every change of its shape. Stands first in the text, where older agents look for it. */
  version: z.literal(BOOK_VERSION),
  heads: z.array(Head).max(HEADS_MAX + 1),
  silences: z.array(Silence).max(SILENCES_MAX),
  /** The last investigations that were taken, oldest first. */
  taken: z.array(Token).max(TAKEN_MAX),
});
export type Book = z.infer<typeof Book>;

export const EMPTY_BOOK: Book = { version: BOOK_VERSION, heads: [], silences: [], taken: [] };

/** The id of a change, the same in its notice, its event and its record. */
export function changeId(incident: string, seq: number): string {
  return `${incident}.${seq}`;
}
