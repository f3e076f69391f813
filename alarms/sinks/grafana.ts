/**
 * Notices as Grafana annotations over the window that brought them. An annotation bears the notice's id
 * as a tag and is looked for by it first, so that a notice sent again is not drawn twice.
 * Source: grafana.com, HTTP API, annotations.
 */
import { z } from "zod";
import { type HttpTls, PetrelError, readJson } from "../../core/mod.ts";
import type { Notice, Severity } from "../notice.ts";
import { reading, send, within } from "../post.ts";
import type { AlarmSink } from "../sink.ts";
import { type Escape, instantMs } from "../text.ts";
import { type Linked, SHORT, type Words, wordsOf } from "../words.ts";

export interface GrafanaSinkOptions {
  /** With its path prefix, if it has one. */
  readonly url: string;
  readonly token?: string;
  readonly tls?: HttpTls;
  /** Default: an annotation of the whole organisation. */
  readonly dashboardUid?: string;
  readonly minSeverity: Severity;
  readonly timeoutMs: number;
}

const SYSTEM = "grafana";
const ANSWER_BYTES_MAX = 256 * 1024;

const Found = z.array(z.object({ tags: z.array(z.string()).nullish() })).max(1_000);
const Added = z.object({ id: z.number() });

export function grafanaSink(options: GrafanaSinkOptions): AlarmSink {
  const { token, tls, dashboardUid, minSeverity, timeoutMs } = options;
  const url = `${options.url.replace(/\/+$/, "")}/api/annotations`;
  const shared = {
    system: SYSTEM,
    headers: {
      accept: "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
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
        const tag = tagOf(notice);
        const query = new URLSearchParams({
          tags: tag,
          type: "annotation",
          limit: "10",
        }).toString();
        const looked = await send({ ...shared, url: `${url}?${query}` }, bounded);
        const found = await reading(readJson(looked, Found, ANSWER_BYTES_MAX), bounded);
        if (found.some(({ tags }) => tags?.includes(tag))) return;
        const body = annotationOf(notice, dashboardUid);
        const response = await send({ ...shared, url, body }, bounded);
        await reading(readJson(response, Added, ANSWER_BYTES_MAX), bounded);
      }),
  };
}

function tagOf({ id }: Notice): string {
  return `notice:${id}`;
}

/** Grafana shows an annotation's text as HTML. */
export const htmlEscape: Escape = (text) =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");

export interface Annotation {
  readonly dashboardUID?: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly timeEnd: number;
  readonly tags: readonly string[];
  readonly text: string;
}

export function annotationOf(notice: Notice, dashboardUid?: string): Annotation {
  const words = wordsOf(notice, SHORT, htmlEscape);
  return {
    ...(dashboardUid === undefined ? {} : { dashboardUID: dashboardUid }),
    time: instantOf(notice.window.start),
    timeEnd: instantOf(notice.window.end),
    tags: ["petrel", `incident:${notice.incident}`, tagOf(notice)],
    text: textOf(words),
  };
}

function textOf(words: Words): string {
  const { heading, text, facts, evidence, affected, next, seenBefore, remarks, isCut } = words;
  const known = [affected, isCut].filter((one) => one !== undefined);
  const steps = next.map((step) => `next: ${step}`);
  return [
    heading,
    text,
    facts,
    ...evidence.map(linked),
    ...steps,
    ...seenBefore,
    ...remarks,
    ...known,
  ]
    .filter((line) => line !== "")
    .join("\n");
}

function linked({ text, url }: Linked): string {
  return url === undefined ? text : `<a href="${htmlEscape(url)}">${text}</a>`;
}

function instantOf(text: string): number {
  const ms = instantMs(text);
  if (ms !== undefined) return ms;
  throw new PetrelError("INTERNAL", `${SYSTEM}: the window's time is no instant`, {
    system: SYSTEM,
  });
}
