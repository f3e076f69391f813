/** For any notice the schema allows: within the system's limits, well-formed, named, and no markup of its own. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { mailOf } from "../../alarms/mail/message.ts";
import type { Notice } from "../../alarms/mod.ts";
import { alertsOf } from "../../alarms/sinks/alertmanager.ts";
import { annotationOf } from "../../alarms/sinks/grafana.ts";
import { jsonLine } from "../../alarms/sinks/jsonl.ts";
import { pagerdutyEvent } from "../../alarms/sinks/pagerduty.ts";
import { slackMessage } from "../../alarms/sinks/slack.ts";
import { teamsMessage } from "../../alarms/sinks/teams.ts";
import { terminalText } from "../../alarms/sinks/terminal.ts";
import { decodeMail } from "./mails.ts";
import { anyNotice, seed } from "./notices.ts";

const RUNS = { seed, numRuns: 300 };
const holds = (check: (notice: Notice) => void, runs = RUNS) =>
  fc.assert(fc.property(anyNotice, check), runs);

/** Every text in a value, keys left out. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const isIn = (value: unknown, notice: Notice) => {
  const text = JSON.stringify(value);
  return text.includes(notice.id) && text.includes(notice.incident);
};

describe("any notice", () => {
  test("slack: 20 blocks of 50, 150 and 3,000 characters, no mention and no link but ours", () => {
    holds((notice) => {
      const message = slackMessage(notice);
      expect(message.blocks.length).toBeLessThanOrEqual(20);
      for (const block of message.blocks) {
        const texts = block.type === "context" ? block.elements : [block.text];
        expect(texts.length).toBeLessThanOrEqual(10);
        for (const { text } of texts) {
          expect(text.length).toBeGreaterThan(0);
          expect(text.length).toBeLessThanOrEqual(block.type === "header" ? 150 : 3_000);
        }
      }
      for (const text of textsIn(message)) {
        const ours = text.replace(/<https?:\/\/[^\s|<>]+\|open>/g, "");
        expect(ours).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)|@(here|channel|everyone)/i);
        expect(text).not.toMatch(CONTROL);
      }
      expect(isIn(message, notice)).toBe(true);
    });
  });

  test("pagerduty: 512 kB, a summary of 1,024 characters, the incident as dedup_key", () => {
    holds((notice) => {
      const event = pagerdutyEvent(notice, "R0UT1NGKEY");
      expect(bytesOf(event)).toBeLessThanOrEqual(512 * 1024);
      expect(event["dedup_key"]).toBe(notice.incident);
      const payload = event["payload"] as Record<string, string>;
      expect(payload["summary"]?.length).toBeLessThanOrEqual(1_024);
      expect(payload["source"]).not.toBe("");
      expect(["critical", "warning", "info"]).toContain(payload["severity"] ?? "");
      for (const link of event["links"] as { href: string }[]) {
        expect(link.href).toMatch(/^https?:\/\/[^\s<>"]+$/);
      }
      expect(isIn(event, notice)).toBe(true);
    });
  });

  test("alertmanager: times in order, labels that no later notice of the incident changes", () => {
    const two = fc.tuple(anyNotice, anyNotice);
    fc.assert(
      fc.property(two, ([first, second]) => {
        const openForMs = 1_000_000_000_000;
        const [opened] = alertsOf({ ...first, change: "opened" }, { active: [], openForMs });
        const over = { ...second, incident: first.incident, change: "resolved" as const };
        const active = opened ? [opened.labels] : [];
        const [ended, ...others] = alertsOf(over, { active, openForMs });
        expect(others).toEqual([]);
        expect(ended?.labels).toEqual(opened?.labels ?? {});
        expect(opened?.labels["incident"]).toBe(first.incident);
        for (const alert of [opened, ended]) {
          if (!alert) continue;
          expect(Date.parse(alert.startsAt)).toBeLessThanOrEqual(Date.parse(alert.endsAt));
          expect(Object.values(alert.labels)).not.toContain("");
        }
        expect(opened?.annotations["notice"]).toBe(first.id);
      }),
      RUNS,
    );
  });

  test("teams: 28 kB, an Adaptive Card of text runs, http links alone", () => {
    holds((notice) => {
      const message = teamsMessage(notice);
      expect(bytesOf(message)).toBeLessThanOrEqual(28_000);
      const text = JSON.stringify(message);
      expect(text).not.toMatch(/"type":"(TextBlock|FactSet|mention)"|"entities"/);
      for (const [, url] of text.matchAll(
        /"Action.OpenUrl"(?:,"title":"(?:[^"\\]|\\.)*")?,"url":"([^"]*)/g,
      ))
        expect(url).toMatch(/^https?:\/\//);
      expect(isIn(message, notice)).toBe(true);
    });
  });

  test("mail: no header but ours, lines within RFC 5322, the text comes back", () => {
    holds((notice) => {
      const text = mailOf(notice, { from: "petrel@example.com", to: ["a@example.com", "b@x.org"] });
      expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
      expect(text).toMatch(/^[\x20-\x7e\r\n]*$/);
      for (const line of text.split("\r\n")) expect(line.length).toBeLessThanOrEqual(998);
      const mail = decodeMail(text);
      const thread = notice.id === `${notice.incident}.1` ? [] : ["in-reply-to", "references"];
      const names = ["from", "to", "subject", "date", "message-id", ...thread, "auto-submitted"];
      const ours = ["x-petrel-incident", "x-petrel-notice", "mime-version", "content-type"];
      expect([...mail.headers.keys()]).toEqual([...names, ...ours, "content-transfer-encoding"]);
      expect(mail.headers.get("to")).toBe("a@example.com, b@x.org");
      expect(mail.headers.get("message-id")).toBe(`<${notice.id}@petrel>`);
      expect(mail.body).toContain(`incident ${notice.incident} · notice ${notice.id}`);
      expect(mail.body).not.toMatch(CONTROL);
    });
  });

  test("grafana: nothing in the text is HTML but our links", () => {
    holds((notice) => {
      const annotation = annotationOf(notice);
      const ours = annotation.text.replace(/<a href="https?:\/\/[^"<>]+">|<\/a>/g, "");
      expect(ours).not.toMatch(/[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/);
      expect(annotation.text.length).toBeLessThanOrEqual(32_000);
      expect(annotation.tags).toContain(`notice:${notice.id}`);
      expect(annotation.tags).toContain(`incident:${notice.incident}`);
    });
  });

  test("terminal: no control character; in colour, our two sequences alone", () => {
    holds((notice) => {
      const plain = terminalText(notice, false);
      expect(plain).not.toMatch(CONTROL);
      // oxlint-disable-next-line no-control-regex
      const coloured = terminalText(notice, true).replace(/^\u001b\[1;3\dm(.*)\u001b\[0m/, "$1");
      expect(coloured).toBe(plain);
      expect(plain).toContain(notice.id);
    });
  });

  test("jsonl: one line that is the notice", () => {
    holds((notice) => {
      const line = jsonLine(notice);
      expect(line.indexOf("\n")).toBe(line.length - 1);
      expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(notice)));
    });
  });
});
