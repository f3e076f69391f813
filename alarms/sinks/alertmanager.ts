/**
 * Notices as alerts of an Alertmanager, API v2: one active alert an incident. An alert is known by its
 * labels, so those it was opened with are asked for and used again; where an incident got more urgent, an
 * alert with the new labels takes the place of the old one in the same call, as Prometheus does it.
 * Source: api/v2/openapi.yaml of prometheus/alertmanager.
 */
import { z } from "zod";
import { type HttpTls, PetrelError, readJson } from "../../core/mod.ts";
import { type Notice, SEVERITIES, type Severity } from "../notice.ts";
import { liar, reading, send, textOf, within } from "../post.ts";
import type { AlarmSink } from "../sink.ts";
import { cut, instantMs, oneLine } from "../text.ts";
import { type Linked, WHOLE, wordsOf } from "../words.ts";

export interface AlertmanagerOptions {
  /** With its path prefix, if it has one. */
  readonly url: string;
  /** The whole header `Authorization`. */
  readonly authorization?: string;
  readonly tls?: HttpTls;
  /** How long an open alert stays after its last notice, milliseconds. */
  readonly openForMs: number;
  readonly minSeverity: Severity;
  readonly timeoutMs: number;
}

export const ALERTNAME = "PetrelIncident";
const SYSTEM = "alertmanager";
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const LABEL_CHARS_MAX = 200;

type Labels = Readonly<Record<string, string>>;
const Alerts = z.array(z.object({ labels: z.record(z.string(), z.string()) })).max(1_000);

export interface Alert {
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL?: string;
}

export function alertmanagerSink(options: AlertmanagerOptions): AlarmSink {
  const { authorization, tls, openForMs, minSeverity, timeoutMs } = options;
  const url = `${options.url.replace(/\/+$/, "")}/api/v2/alerts`;
  const shared = {
    system: SYSTEM,
    ...(authorization === undefined ? {} : { headers: { authorization } }),
    timeoutMs,
    ...(tls === undefined ? {} : { tls }),
  };
  return {
    name: SYSTEM,
    minSeverity,
    isIdempotent: true,
    timeoutMs,
    send: (notice, signal) =>
      within({ system: SYSTEM, timeoutMs }, signal, async (bounded) => {
        const query = new URLSearchParams([
          ["filter", `alertname="${ALERTNAME}"`],
          ["filter", `incident="${notice.incident}"`],
        ]).toString();
        const found = await send({ ...shared, url: `${url}?${query}` }, bounded);
        const alerts = await reading(readJson(found, Alerts, ANSWER_BYTES_MAX), bounded);
        const body = alertsOf(notice, { active: alerts.map(({ labels }) => labels), openForMs });
        const response = await send({ ...shared, url, body }, bounded);
        if ((await textOf(response, bounded)) !== "") throw liar(response, "the body is not empty");
      }),
  };
}

/** What is posted, given the labels of the incident's alerts that are active now. */
export function alertsOf(
  notice: Notice,
  { active, openForMs }: { readonly active: readonly Labels[]; readonly openForMs: number },
): Alert[] {
  const known = active.filter(
    ({ alertname, incident }) => alertname === ALERTNAME && incident === notice.incident,
  );
  const endsMs = instantOf(notice.at);
  const ended = (labels: Labels) => alertOf(notice, labels, endsMs);
  const own = labelsOf(notice);
  if (notice.change === "resolved") return (known.length > 0 ? known : [own]).map(ended);
  const kept = known.find((labels) => urgencyOf(labels) >= urgencyOf(own)) ?? own;
  const others = known.filter((labels) => labels !== kept);
  return [alertOf(notice, kept, endsMs + openForMs), ...others.map(ended)];
}

/** What people route and silence by. Empty values are no labels. */
function labelsOf({ incident, service, mechanism, severity, kind }: Notice): Labels {
  const labels = { alertname: ALERTNAME, incident, service, mechanism, severity, kind };
  const clean = Object.entries(labels).map(
    ([name, value]) => [name, cut(oneLine(value), LABEL_CHARS_MAX)] as const,
  );
  return Object.fromEntries(clean.filter(([, value]) => value !== ""));
}

/** Higher is more urgent. */
function urgencyOf({ severity }: Labels): number {
  const at = SEVERITIES.findIndex((one) => one === severity);
  return at < 0 ? -1 : SEVERITIES.length - at;
}

function alertOf(notice: Notice, labels: Labels, endsMs: number): Alert {
  const startsMs = Math.min(instantOf(notice.openedAt), endsMs);
  const words = wordsOf(notice, WHOLE);
  const url = [...words.links, ...words.evidence].find((one) => one.url !== undefined)?.url;
  const joined = (lines: readonly string[]) => (lines.length === 0 ? undefined : lines.join("\n"));
  const annotations = {
    summary: words.heading,
    description: words.text,
    facts: words.facts,
    evidence: joined(words.evidence.map(withAddress)),
    affected: words.affected,
    next: joined(words.next),
    seen_before: joined(words.seenBefore),
    remarks: joined(words.remarks),
    cost: words.cost,
    severity_now: notice.severity,
    change: notice.change,
    notice: notice.id,
    shortened: words.isCut,
  };
  return {
    labels,
    annotations: Object.fromEntries(
      Object.entries(annotations).filter((entry): entry is [string, string] => Boolean(entry[1])),
    ),
    startsAt: new Date(startsMs).toISOString(),
    endsAt: new Date(endsMs).toISOString(),
    ...(url === undefined ? {} : { generatorURL: url }),
  };
}

function withAddress({ text, url }: Linked): string {
  return url === undefined ? text : `${text} ${url}`;
}

/** An alert without its times would begin, or end, at the wrong moment. */
function instantOf(text: string): number {
  const ms = instantMs(text);
  if (ms !== undefined) return ms;
  throw new PetrelError("INTERNAL", `${SYSTEM}: the notice's time is no instant`, {
    system: SYSTEM,
  });
}
