/**
 * Notices as events of PagerDuty's Events API v2 (developer.pagerduty.com, Events API v2 overview). The
 * incident's id is the `dedup_key`: what is sent twice is one alert, updates go to it, and it is resolved
 * by it. The routing key is a secret and stands in the body alone.
 */
import { z } from "zod";
import { readJson } from "../../core/mod.ts";
import type { Notice, Severity } from "../notice.ts";
import { liar, reading, send } from "../post.ts";
import type { AlarmSink } from "../sink.ts";
import { cut, instantMs, oneLine } from "../text.ts";
import {
  firstThatFits,
  type Linked,
  SHORT,
  SHORTEST,
  WHOLE,
  type Words,
  wordsOf,
} from "../words.ts";

export interface PagerdutyOptions {
  readonly routingKey: string;
  /** `https://events.pagerduty.com`, or the EU's. */
  readonly url: string;
  readonly minSeverity: Severity;
  readonly timeoutMs: number;
}

const SYSTEM = "pagerduty";
const EVENT_BYTES_MAX = 512 * 1024;
const SUMMARY_CHARS_MAX = 1_024;
const FIELD_CHARS_MAX = 255;
const ANSWER_BYTES_MAX = 64 * 1024;

const Answer = z.object({ status: z.string(), message: z.string().optional() });

export function pagerdutySink(options: PagerdutyOptions): AlarmSink {
  const { routingKey, minSeverity, timeoutMs } = options;
  const url = `${options.url.replace(/\/+$/, "")}/v2/enqueue`;
  const secrets = [routingKey];
  return {
    name: SYSTEM,
    minSeverity,
    isIdempotent: true,
    timeoutMs,
    send: async (notice, signal) => {
      const body = pagerdutyEvent(notice, routingKey);
      const response = await send({ system: SYSTEM, url, body, timeoutMs, secrets }, signal);
      const answer = await reading(readJson(response, Answer, ANSWER_BYTES_MAX), signal);
      if (answer.status !== "success") throw liar(response, "its status is not success");
    },
  };
}

/** The event, at most 512 kB: what there is no room for is left out, least telling first. */
export function pagerdutyEvent(notice: Notice, routingKey: string): Record<string, unknown> {
  return firstThatFits(
    [WHOLE, SHORT, SHORTEST],
    (extent) => eventOf(notice, routingKey, wordsOf(notice, extent)),
    (event) => Buffer.byteLength(JSON.stringify(event)) <= EVENT_BYTES_MAX,
  );
}

function eventOf(notice: Notice, routingKey: string, words: Words): Record<string, unknown> {
  const { incident, change, severity, at } = notice;
  const field = (text: string, otherwise: string) =>
    cut(oneLine(text), FIELD_CHARS_MAX) || otherwise;
  const linked = [...words.links, ...words.evidence];
  return {
    routing_key: routingKey,
    event_action: change === "resolved" ? "resolve" : "trigger",
    dedup_key: incident,
    client: "Petrel",
    payload: {
      summary: cut(words.heading, SUMMARY_CHARS_MAX),
      source: field(notice.service, "petrel"),
      severity,
      ...(instantMs(at) === undefined ? {} : { timestamp: at }),
      component: field(notice.service, "petrel"),
      group: notice.kind,
      class: field(notice.mechanism, "unknown"),
      custom_details: detailsOf(notice, words),
    },
    links: linked.flatMap(({ text, url }: Linked) =>
      url === undefined ? [] : [{ href: url, text: cut(text, FIELD_CHARS_MAX) }],
    ),
  };
}

function detailsOf(notice: Notice, words: Words): Record<string, unknown> {
  return {
    incident: notice.incident,
    notice: notice.id,
    change: notice.change,
    text: words.text,
    facts: words.facts,
    evidence: words.evidence.map(({ text }) => text),
    ...(words.affected === undefined ? {} : { affected: words.affected }),
    next: words.next,
    seen_before: words.seenBefore,
    remarks: words.remarks,
    tools: words.tools,
    written_by: oneLine(notice.by),
    ...(words.cost === undefined ? {} : { cost: words.cost }),
    ...(words.isCut === undefined ? {} : { shortened: words.isCut }),
  };
}
