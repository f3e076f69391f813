/** Puts an incident's record and its notices together from what the book and a verdict know. Pure. */

import type { SeenBefore } from "../../alarms/mod.ts";
import { type Cost, NOTICE_TYPE, Notice, TOLD_CHANGES, type ToldChange } from "../../alarms/mod.ts";
import { formatWindow } from "../../core/mod.ts";
import type { Explanation } from "../explain/record.ts";
import type { Verdict } from "../sre/records.ts";
import { changeId, type Head, type Pending } from "./book.ts";
import type { Change, Incident } from "./record.ts";
import { windowMsOf } from "./times.ts";

const EVIDENCE_TOLD_MAX = 10;
const INVESTIGATIONS_MAX = 100;
const TIMELINE_MAX = 200;
const LINKS_MAX = 20;

export const NO_COST: Cost = {
  calls: 0,
  toolCalls: 0,
  promptTokens: 0,
  completionTokens: 0,
  usd: 0,
};

export interface Told {
  readonly verdict: Verdict | undefined;
  /** Made for this change; undefined where the change needs no new words. */
  readonly explanation: Explanation | undefined;
  readonly seenBefore: readonly SeenBefore[];
  /** Names of the sinks that are told. */
  readonly sinks: readonly string[];
}

/** The record with one change more; a change that it has already changes nothing. */
export function recorded(
  known: Incident | undefined,
  head: Head,
  change: Pending,
  told: Told,
): Incident {
  if (known?.timeline.some(({ seq }) => seq === change.seq)) return known;
  const { verdict, explanation } = told;
  // Words about a cause that it is no longer about go: nobody is told while it is silenced.
  const words = explanation ?? (known?.fingerprint === head.fingerprint ? known : undefined);
  return {
    ...stateOf(head),
    title: words?.title ?? titleOf(head),
    ...(known?.judgement ? { judgement: known.judgement } : {}),
    investigation: verdict?.id ?? known?.investigation ?? head.investigation,
    investigations: added(known?.investigations ?? [], change.investigation ?? head.investigation),
    causes: verdict?.causes ?? known?.causes ?? [],
    evidence: verdict?.evidence ?? known?.evidence ?? [],
    ...wordsOf(explanation ?? (words && known?.explanation)),
    seenBefore: told.seenBefore.length > 0 ? [...told.seenBefore] : (known?.seenBefore ?? []),
    links: verdict ? linksOf(verdict) : (known?.links ?? []),
    cost: sumOf(known?.cost ?? NO_COST, explanation?.cost ?? NO_COST),
    timeline: [...(known?.timeline ?? []), entryOf(change, told.sinks)]
      .sort((a, b) => a.seq - b.seq)
      .slice(-TIMELINE_MAX),
    ...(known?.taskId === undefined ? {} : { taskId: known.taskId }),
  };
}

/** What the book knows of it at any time; the record's own where it is no longer in the book. */
export function current(record: Incident, head: Head | undefined): Incident {
  return head ? { ...record, ...stateOf(head) } : record;
}

function stateOf(head: Head) {
  const { id, fingerprint, kind, state, severity, service, mechanism, location } = head;
  const { confidence, services, openedAt, updatedAt, resolvedAt, silencedBy } = head;
  const { firstWindow, lastWindow, windows } = head;
  return {
    id,
    fingerprint,
    kind,
    state,
    severity,
    service,
    mechanism,
    confidence,
    services,
    openedAt,
    updatedAt,
    firstWindow,
    lastWindow,
    windows,
    ...(location === undefined ? {} : { location }),
    ...(resolvedAt === undefined ? {} : { resolvedAt }),
    ...(silencedBy === undefined ? {} : { silencedBy }),
  };
}

function linksOf({ sources }: Verdict): Incident["links"] {
  return Object.values(sources)
    .flatMap(({ links }) => links)
    .slice(0, LINKS_MAX);
}

function wordsOf(explanation: Explanation | undefined) {
  return explanation ? { explanation } : {};
}

/** Where no words have been found for it. */
export function titleOf({ service, mechanism }: Head): string {
  return `${service}: ${mechanism}`.slice(0, 300);
}

function added(list: readonly string[], one: string): string[] {
  return [...list.filter((known) => known !== one), one].slice(-INVESTIGATIONS_MAX);
}

function sumOf(a: Cost, b: Cost): Cost {
  return {
    calls: a.calls + b.calls,
    toolCalls: a.toolCalls + b.toolCalls,
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    usd: a.usd + b.usd,
  };
}

function entryOf(change: Pending, sinks: readonly string[]): Change {
  const { seq, kind, at, text, investigation, window, by } = change;
  return {
    seq,
    kind,
    at,
    text,
    ...(investigation === undefined ? {} : { investigation }),
    ...(window === undefined ? {} : { window }),
    ...(by === undefined ? {} : { by }),
    deliveries: Object.fromEntries(sinks.map((name) => [name, "pending" as const])),
  };
}

/** What sinks are told of a change; undefined for one that nobody is told of. */
export function noticeOf(incident: Incident, change: Change): Notice | undefined {
  const kind = toldKind(change.kind);
  if (kind === undefined) return undefined;
  const { explanation: words, causes } = incident;
  const [cause] = causes;
  const isOver = kind === "resolved";
  return Notice.parse({
    type: NOTICE_TYPE,
    id: changeId(incident.id, change.seq),
    incident: incident.id,
    change: kind,
    kind: incident.kind,
    severity: incident.severity,
    title: incident.title,
    text: (isOver ? overWords(incident, change) : (words?.text ?? change.text)).slice(0, 4_000),
    by: words?.by ?? "statistics",
    struck: words?.struck.length ?? 0,
    remarks: remarksOf(change, words),
    service: incident.service,
    mechanism: incident.mechanism,
    ...(incident.location === undefined ? {} : { location: incident.location }),
    confidence: incident.confidence,
    affected: incident.services.filter((service) => service !== incident.service).slice(0, 50),
    evidence: evidenceOf(incident),
    next: isOver ? [] : (words?.next ?? cause?.next ?? []).slice(0, 10),
    seenBefore: incident.seenBefore,
    window: change.window ?? incident.lastWindow,
    openedAt: incident.openedAt,
    at: change.at,
    windows: incident.windows,
    links: incident.links,
    appendix: words?.tools ?? [],
    cost: incident.cost,
  });
}

function toldKind(kind: Change["kind"]): ToldChange | undefined {
  return TOLD_CHANGES.find((one) => one === kind);
}

function remarksOf({ kind, text }: Change, words: Explanation | undefined): string[] {
  const own = kind === "updated" || kind === "flapping" ? [text.slice(0, 500)] : [];
  return [...own, ...(words?.remarks ?? [])].slice(0, 10);
}

function overWords({ service, mechanism, firstWindow, lastWindow }: Incident, change: Change) {
  const window = { startMs: windowMsOf(firstWindow).startMs, endMs: windowMsOf(lastWindow).endMs };
  const [first, last] = [window.startMs, window.endMs].map((ms) => new Date(ms).toISOString());
  // Times of day alone say nothing of one that went on for days.
  const days =
    first?.slice(0, 10) === last?.slice(0, 10) ? "" : `${dayOf(first)} to ${dayOf(last)}, `;
  return `${service}: ${mechanism} was last seen ${days}${formatWindow(window)} UTC; ${change.text}.`;
}

function dayOf(instant = ""): string {
  return instant.slice(0, 10);
}

/** What the cause cites, in its order. */
function evidenceOf({ causes, evidence }: Incident): Notice["evidence"] {
  const cited = causes[0]?.evidence ?? [];
  const first = cited.flatMap((id) => evidence.filter((one) => one.id === id));
  return (first.length > 0 ? first : evidence)
    .slice(0, EVIDENCE_TOLD_MAX)
    .map(({ id, source, finding: { service, summary, link } }) => {
      return { id, source, service, summary, ...(link === undefined ? {} : { link }) };
    });
}
