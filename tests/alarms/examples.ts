/**
 * The examples of docs/alarms.md: one notice through every sink. `bun tests/alarms/examples.ts` writes
 * them into the document; a test compares.
 */
import { join } from "node:path";
import { mailOf } from "../../alarms/mail/message.ts";
import { jsonLine, signatureOf, terminalText } from "../../alarms/mod.ts";
import { alertsOf } from "../../alarms/sinks/alertmanager.ts";
import { annotationOf } from "../../alarms/sinks/grafana.ts";
import { pagerdutyEvent } from "../../alarms/sinks/pagerduty.ts";
import { slackMessage } from "../../alarms/sinks/slack.ts";
import { teamsMessage } from "../../alarms/sinks/teams.ts";
import { INCIDENT, notice } from "./notices.ts";

export const DOC_FILE = join(import.meta.dir, "../../docs/alarms.md");
export const EXAMPLE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const ONE = notice();
const SHORTER = notice({ evidence: ONE.evidence.slice(1, 2), appendix: [] });
const json = (value: unknown) => JSON.stringify(value, null, 2);

/** By the sink's name: the language of the block, and its text. */
export const EXAMPLES: Readonly<Record<string, readonly [language: string, text: string]>> = {
  terminal: ["text", terminalText(ONE, false).trimEnd()],
  jsonl: ["text", jsonLine(SHORTER).trimEnd()],
  webhook: ["http", webhookHead()],
  slack: ["text", json(slackMessage(SHORTER))],
  pagerduty: ["text", json(pagerdutyEvent(SHORTER, "YOUR-ROUTING-KEY"))],
  alertmanager: ["text", json(alertsOf(SHORTER, { active: [], openForMs: 3 * 86_400_000 }))],
  teams: ["text", json(teamsMessage(SHORTER))],
  smtp: ["text", mail()],
  grafana: ["text", json(annotationOf(SHORTER))],
};

function webhookHead(): string {
  const [id, timestamp] = [`${INCIDENT}.1`, "1773411921"];
  const body = JSON.stringify(SHORTER);
  return [
    "POST /petrel HTTP/1.1",
    "content-type: application/json",
    `idempotency-key: ${id}`,
    `webhook-id: ${id}`,
    `webhook-timestamp: ${timestamp}`,
    `webhook-signature: ${signatureOf({ id, timestamp, body }, EXAMPLE_SECRET)}`,
  ].join("\n");
}

/** The second of an incident: it refers to the first. */
function mail(): string {
  const second = notice({ ...SHORTER, id: `${INCIDENT}.2`, change: "updated" });
  const addresses = { from: "petrel@example.com", to: ["oncall@example.com"] };
  return mailOf(second, addresses).replaceAll("\r\n", "\n").trimEnd();
}

/** The block behind a sink's marker. */
export function blockOf(doc: string, sink: string): string | undefined {
  return patternOf(sink).exec(doc)?.[2];
}

function patternOf(sink: string): RegExp {
  return new RegExp(`(<!-- example: ${sink} -->\n\n)(\`\`\`[\\s\\S]*?\n\`\`\`)`);
}

export function exampleBlock(sink: string): string {
  const [language, text] = EXAMPLES[sink] ?? ["", ""];
  return `\`\`\`${language}\n${text}\n\`\`\``;
}

if (import.meta.main) {
  let doc = await Bun.file(DOC_FILE).text();
  for (const sink of Object.keys(EXAMPLES))
    doc = doc.replace(patternOf(sink), (_all, marker: string) => marker + exampleBlock(sink));
  await Bun.write(DOC_FILE, doc);
}
