/** Verdicts and circumstances for tests of an incident's life; time is the windows'. */
import { type Book, EMPTY_BOOK } from "../../../agents/incidents/book.ts";
import { advance } from "../../../agents/incidents/life.ts";
import type { Circumstances, LifeRules } from "../../../agents/incidents/rules.ts";
import { sightingOf } from "../../../agents/incidents/sighting.ts";
import type { SourceResult, Verdict } from "../../../agents/mod.ts";
import { RULES } from "../sre-fixtures.ts";
import { finding, incident, MINUTE_MS, START_MS, windowAt } from "../verdict-fixtures.ts";

export const WINDOW_MS = 5 * MINUTE_MS;

const source = (status: SourceResult["status"]): SourceResult => ({
  status,
  findings: status === "anomalous" ? 1 : 0,
  stats: {},
  notes: [],
  links: [],
  tookMs: 1,
});

/** How both sources ended, in one word each. */
export function sources(
  splunk: SourceResult["status"],
  metrics: SourceResult["status"],
): Verdict["sources"] {
  return { splunk: source(splunk), metrics: source(metrics) };
}

export interface FaultWords {
  readonly service?: string;
  readonly mechanism?: string;
  readonly confidence?: number;
  readonly affected?: readonly string[];
  readonly template?: string;
}

/** A window that names a fault; `at` counts windows of five minutes. */
export function fault(at: number, words: FaultWords = {}): Verdict {
  const {
    service = "payment-service",
    mechanism = "connection pool exhausted",
    confidence = 0.9,
    affected = ["order-service"],
    template = "Connection is not available",
  } = words;
  const [cause] = incident("x").causes;
  if (!cause) throw new Error("no cause");
  return incident(`w${at}-${service}`, {
    window: windowAt(at * WINDOW_MS),
    rootCause: { service, mechanism },
    confidence,
    causes: [{ ...cause, service, mechanism, confidence, affected: [...affected] }],
    evidence: [{ id: "e1", source: "logs", finding: finding({ service, template }) }],
    sources: sources("anomalous", "quiet"),
    concludedAt: new Date(START_MS + (at + 1) * WINDOW_MS).toISOString(),
  });
}

export function quiet(at: number, more: Partial<Verdict> = {}): Verdict {
  return incident(`w${at}-quiet`, {
    window: windowAt(at * WINDOW_MS),
    outcome: "quiet",
    rootCause: null,
    causes: [],
    evidence: [],
    sources: sources("quiet", "quiet"),
    concludedAt: new Date(START_MS + (at + 1) * WINDOW_MS).toISOString(),
    ...more,
  });
}

/** A window in which a source could not be read. */
export function blind(at: number, splunk: SourceResult["status"], metrics: SourceResult["status"]) {
  return quiet(at, {
    id: `w${at}-blind`,
    outcome: "inconclusive",
    sources: sources(splunk, metrics),
    reason: "a source failed",
  });
}

/** A life lived step by step; what each window brought is asked for by its changes. */
export class Life {
  book: Book = EMPTY_BOOK;
  readonly #given: Omit<Circumstances, "silences" | "nowMs" | "newId">;
  #ids = 0;
  nowMs = START_MS;

  constructor(rules: Partial<LifeRules> = {}, maintenance: Circumstances["maintenance"] = []) {
    this.#given = { rules: { ...RULES, ...rules }, maintenance, owner: "one" };
  }

  /** The changes of a window: `told opened`, `resolved`, … in order, of all incidents. */
  see(verdict: Verdict, isAsked = false): string[] {
    this.nowMs = Math.max(this.nowMs, Date.parse(verdict.concludedAt));
    const before = new Map(this.book.heads.map((head) => [head.id, head.seq]));
    this.book = advance(this.book, sightingOf(verdict, isAsked), {
      ...this.#given,
      silences: this.book.silences,
      nowMs: this.nowMs,
      newId: () => `inc-${++this.#ids}`,
    });
    return this.book.heads.flatMap((head) =>
      head.pending
        .filter(({ seq }) => seq > (before.get(head.id) ?? 0))
        .map(({ kind, isTold }) => `${isTold ? "told " : ""}${kind}`),
    );
  }

  /** All that was decided is done with. */
  settle(): void {
    const heads = this.book.heads
      .map((head) => ({ ...head, pending: [] }))
      .filter(({ state }) => state !== "closed");
    this.book = { ...this.book, heads };
  }

  get states(): string[] {
    return this.book.heads.map(({ service, state }) => `${service} ${state}`);
  }
}
