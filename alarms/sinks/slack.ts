/**
 * Notices to a Slack incoming webhook, as Block Kit. Text of a notice can mention nobody and format
 * nothing as a link: &, < and > are escaped as Slack asks for, `verbatim` keeps it from looking for names.
 * Sources: docs.slack.dev: incoming webhooks, formatting message text, section and header blocks.
 */
import type { Notice, Severity } from "../notice.ts";
import { liar, secretsOfUrl, send, textOf } from "../post.ts";
import type { AlarmSink } from "../sink.ts";
import type { Escape } from "../text.ts";
import { type Extent, type Linked, SHORT, type Words, wordsOf } from "../words.ts";

export interface SlackOptions {
  /** A secret as a whole. */
  readonly url: string;
  readonly minSeverity: Severity;
  readonly timeoutMs: number;
}

const SYSTEM = "slack";
const HEADER_CHARS_MAX = 150;
const SECTION_CHARS_MAX = 3_000;
const ADDRESS_CHARS_MAX = 1_500;

export type Block =
  | { readonly type: "header"; readonly text: { type: "plain_text"; text: string } }
  | { readonly type: "section"; readonly text: Mrkdwn }
  | { readonly type: "context"; readonly elements: readonly Mrkdwn[] };
interface Mrkdwn {
  readonly type: "mrkdwn";
  readonly text: string;
  readonly verbatim: true;
}

export interface SlackMessage {
  /** For notifications; Slack shows the blocks. */
  readonly text: string;
  readonly blocks: readonly Block[];
}

export function slackSink({ url, minSeverity, timeoutMs }: SlackOptions): AlarmSink {
  const secrets = secretsOfUrl(url);
  return {
    name: SYSTEM,
    minSeverity,
    isIdempotent: false,
    timeoutMs,
    send: async (notice, signal) => {
      const body = slackMessage(notice);
      const response = await send({ system: SYSTEM, url, body, timeoutMs, secrets }, signal);
      if ((await textOf(response, signal)) !== "ok") throw liar(response, 'the body is not "ok"');
    },
  };
}

/** &, < and > begin everything that Slack reads as more than text; a name after @ is kept apart from it. */
export const slackEscape: Escape = (text) =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/@(?=here|channel|everyone|group)/gi, "@\u200b");

/** At most 20 blocks of the 50 that Slack takes. */
export function slackMessage(notice: Notice): SlackMessage {
  const extent: Extent = { ...SHORT, headingChars: HEADER_CHARS_MAX };
  const words = wordsOf(notice, extent, slackEscape);
  return { text: words.heading, blocks: blocksOf(words) };
}

function blocksOf(words: Words): Block[] {
  const { heading, text, facts, evidence, affected, next, seenBefore, remarks, links } = words;
  const small = [words.cost, words.ids, words.isCut].filter((one) => one !== undefined);
  return [
    { type: "header", text: { type: "plain_text", text: heading } },
    ...sections([text]),
    ...sections([facts, ...(affected === undefined ? [] : [affected])]),
    ...sections(evidence.map(linked)),
    ...sections(next.map((step) => `• ${step}`)),
    ...sections([...seenBefore, ...remarks]),
    ...sections(links.map(linked)),
    { type: "context", elements: small.map(mrkdwn) },
  ];
}

/** As many lines in a section as it takes. */
function sections(lines: readonly string[]): Block[] {
  const texts: string[] = [];
  for (const line of lines.filter((one) => one !== "")) {
    const last = texts.at(-1);
    const joined = last === undefined ? line : `${last}\n${line}`;
    if (last === undefined || joined.length > SECTION_CHARS_MAX) texts.push(line);
    else texts[texts.length - 1] = joined;
  }
  return texts.map((text) => ({ type: "section", text: mrkdwn(text) }));
}

function linked({ text, url }: Linked): string {
  const address = url?.replaceAll("&", "&amp;");
  if (address === undefined) return text;
  return address.length > ADDRESS_CHARS_MAX
    ? `${text} (link too long)`
    : `${text} <${address}|open>`;
}

function mrkdwn(text: string): Mrkdwn {
  return { type: "mrkdwn", text, verbatim: true };
}
