/**
 * Notices to Microsoft Teams: an Adaptive Card 1.4 in the envelope a Workflows webhook takes. All text
 * stands in TextRuns, in which Adaptive Cards interpret no Markdown; a mention needs an entity that is
 * never sent. Sources: learn.microsoft.com ("Create incoming webhooks with Workflows", message size
 * limits), adaptivecards.io (RichTextBlock).
 */

import { PetrelError } from "../../core/mod.ts";
import type { Notice, Severity } from "../notice.ts";
import { liar, secretsOfUrl, send, textOf } from "../post.ts";
import type { AlarmSink } from "../sink.ts";
import {
  firstThatFits,
  type Linked,
  SHORT,
  SHORTEST,
  WHOLE,
  type Words,
  wordsOf,
} from "../words.ts";

export interface TeamsOptions {
  /** A secret as a whole. */
  readonly url: string;
  readonly minSeverity: Severity;
  readonly timeoutMs: number;
}

const SYSTEM = "teams";
/** Teams refuses more than about 28 kB. */
export const CARD_BYTES_MAX = 27_000;
const ACTIONS_MAX = 4;
const PARAGRAPHS_MAX = 12;

export function teamsSink({ url, minSeverity, timeoutMs }: TeamsOptions): AlarmSink {
  const secrets = secretsOfUrl(url);
  return {
    name: SYSTEM,
    minSeverity,
    isIdempotent: false,
    timeoutMs,
    send: async (notice, signal) => {
      const body = teamsMessage(notice);
      const response = await send({ system: SYSTEM, url, body, timeoutMs, secrets }, signal);
      refuseLies(response.status, await textOf(response, signal), () =>
        liar(response, "the body is not empty"),
      );
    },
  };
}

/** Workflows answers 202 and nothing; the older connectors said `1`, or their failure, with 200. */
function refuseLies(status: number, text: string, otherwise: () => PetrelError): void {
  if (text === "" || text === "1") return;
  if (!/HTTP error 429/i.test(text)) throw otherwise();
  const fields = { system: SYSTEM, status };
  throw new PetrelError("OVERLOADED", `${SYSTEM} is too busy (its body says 429)`, fields);
}

/** The message, within Teams's size. */
export function teamsMessage(notice: Notice): Record<string, unknown> {
  return firstThatFits(
    [WHOLE, SHORT, SHORTEST],
    (extent) => messageOf(notice, wordsOf(notice, { ...extent, tools: 0 })),
    (message) => Buffer.byteLength(JSON.stringify(message)) <= CARD_BYTES_MAX,
  );
}

function messageOf(notice: Notice, words: Words): Record<string, unknown> {
  const card = {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.4",
    msteams: { width: "Full" },
    body: bodyOf(notice, words),
    actions: words.links.slice(0, ACTIONS_MAX).flatMap(({ text, url }) => {
      const title = text || "open";
      return url === undefined ? [] : [{ type: "Action.OpenUrl", title, url }];
    }),
  };
  const contentType = "application/vnd.microsoft.card.adaptive";
  return { type: "message", attachments: [{ contentType, contentUrl: null, content: card }] };
}

function bodyOf(notice: Notice, words: Words): object[] {
  const { text, facts, evidence, affected, next, seenBefore, remarks, cost, ids, isCut } = words;
  const color =
    notice.change === "resolved"
      ? "Good"
      : ({ critical: "Attention", warning: "Warning", info: "Accent" } as const)[notice.severity];
  const known = <T>(one: T | undefined): T[] => (one === undefined ? [] : [one]);
  return [
    line(words.heading, { weight: "Bolder", size: "Medium", color }),
    ...paragraphsOf(text).map((paragraph) => line(paragraph)),
    line(facts, { isSubtle: true }),
    ...evidence.map(linked),
    ...known(affected).map((one) => line(one)),
    ...next.map((step) => line(`next: ${step}`)),
    ...[...seenBefore, ...remarks].map((one) => line(one)),
    ...[...known(cost), ids, ...known(isCut)].map((one) => line(one, SMALL)),
  ];
}

/** A block each, which costs more than its text: what is more than a few runs on in the last one. */
function paragraphsOf(text: string): string[] {
  const lines = text.split("\n").filter((one) => one !== "");
  const rest = lines.slice(PARAGRAPHS_MAX - 1).join(" ");
  return [...lines.slice(0, PARAGRAPHS_MAX - 1), ...(rest === "" ? [] : [rest])];
}

const SMALL = { size: "Small", isSubtle: true };

function line(text: string, style: object = {}): object {
  return { type: "RichTextBlock", inlines: [{ type: "TextRun", text: text || " ", ...style }] };
}

function linked({ text, url }: Linked): object {
  if (url === undefined) return line(text);
  return line(text, { selectAction: { type: "Action.OpenUrl", url } });
}
