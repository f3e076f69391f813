import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { linesOf, SHORT, SHORTEST, WHOLE, wordsOf } from "../../alarms/mod.ts";
import { cut, harmless, minute, oneLine, webAddress } from "../../alarms/text.ts";
import { INCIDENT, notice, seed } from "./notices.ts";

describe("text", () => {
  test("escape sequences go as a whole, and what would move a reader's eye or cursor", () => {
    expect(harmless("a\u001b[31;1mred\u001b[0m b\u001b]0;title\u0007c \u009b2Jd \u001b(Be")).toBe(
      "ared bc d e",
    );
    expect(harmless("a\u202eb\u0000c\u007fd\u2066e")).toBe("abcde");
    expect(harmless("one\r\ntwo\rthree\u2028four\n\n\n\n\nfive\tsix")).toBe(
      "one\ntwo\nthree\nfour\n\nfive six",
    );
    expect(harmless("unended \u001b]8;;https://evil.example\nnext line")).toBe(
      "unended \nnext line",
    );
    expect(harmless("\ud800")).toBe("\ufffd");
    expect(oneLine(" a \n\n b ")).toBe("a b");
  });

  test("a cut text fits, is a beginning, and is as long as there is room for", () => {
    const escape = (text: string) => text.replaceAll("&", "&amp;");
    const fits = fc.property(
      fc.string({ unit: "grapheme" }),
      fc.integer({ min: 10, max: 40 }),
      (text, max) => {
        const short = cut(text, max, escape);
        expect(short.length).toBeLessThanOrEqual(max);
        if (escape(text).length <= max) expect(short).toBe(escape(text));
        else expect(escape(text).startsWith(short.slice(0, -1))).toBe(true);
        expect(short.isWellFormed()).toBe(true);
      },
    );
    fc.assert(fits, { seed });
    expect(cut("&&&&&", 20, escape)).toBe("&amp;&amp;&amp;…");
  });

  test("an address is http, without a login, and ends nowhere but at its end", () => {
    expect(webAddress("https://u:p@x.example/a b|<c>\"'?q=`")).toBe(
      "https://x.example/a%20b%7C%3Cc%3E%22%27?q=%60",
    );
    for (const bad of [
      "javascript:alert(1)",
      "ftp://x",
      "/a",
      "",
      `https://x/${"a".repeat(2_000)}`,
    ])
      expect(webAddress(bad)).toBeUndefined();
  });

  test("times are read in UTC, and left alone where they are none", () => {
    expect(minute("2026-03-13T15:20:00+01:00")).toBe("2026-03-13 14:20");
    expect(minute("soon\n")).toBe("soon");
  });
});

describe("words", () => {
  test("say what happened, what it rests on, what to do, and what it cost", () => {
    const lines = linesOf(wordsOf(notice(), WHOLE));
    expect(lines[0]).toBe("CRITICAL opened: payment-service: database connection pool exhausted");
    for (const line of [
      "database connection pool exhausted (HikariPool-1) · confidence 0.95 · 1 window since 2026-03-13 14:25 UTC · last 2026-03-13 14:20 to 14:25",
      "[e2] metrics, payment-service: 94 connection timeouts, normally 0. https://prometheus.example/graph?g0.expr=hikaricp_connections_timeout_total",
      "affected: order-service, api-gateway",
      "next: Compare the pool's maximum with the number of request threads.",
      "seen before on 2026-01-02, cause payment-service: database connection pool exhausted (confirmed), 92 % alike, incident 01a1f3c2-0000-7000-8000-000000000001",
      "note: 1 statement of the model did not hold against the evidence and was left out",
      "link: Spring Boot overview https://grafana.example/d/spring-boot",
      'tool: splunk_search {"query":"index=payments HikariPool"} → ok, 412 ms: 150 events',
      "cost: 2 LLM calls, 1 tool call, 3120 + 410 tokens, $0.0123",
      `incident ${INCIDENT} · notice ${INCIDENT}.1 · written by gpt-5-mini`,
    ])
      expect(lines).toContain(line);
    expect(lines).toHaveLength(17);
  });

  test("are quiet about what there is not", () => {
    const bare = notice({
      change: "resolved",
      by: "statistics",
      struck: 0,
      remarks: [],
      affected: [],
      evidence: [],
      next: [],
      seenBefore: [],
      links: [],
      appendix: [],
      cost: { calls: 0, toolCalls: 0, promptTokens: 0, completionTokens: 0, usd: 0 },
    });
    const lines = linesOf(wordsOf(bare, WHOLE));
    expect(lines[0]).toBe("RESOLVED: payment-service: database connection pool exhausted");
    expect(lines).toHaveLength(5);
  });

  test("an operations alarm claims no confidence", () => {
    const { facts } = wordsOf(
      notice({ kind: "operations", mechanism: "no source answers" }),
      WHOLE,
    );
    expect(facts).toStartWith("no source answers (HikariPool-1) · operations · 1 window since");
  });

  test("what is left out for want of room is said, a link too", () => {
    const many = notice({
      evidence: Array.from({ length: 20 }, (_, at) => ({
        id: `e${at}`,
        source: "logs" as const,
        service: "s",
        summary: "x",
        link: "javascript:alert(1)",
      })),
    });
    expect(wordsOf(notice(), WHOLE).isCut).toBeUndefined();
    expect(wordsOf(many, SHORTEST).isCut).toBe(
      "shortened: evidence (3 of 20), the link of e0, the link of e1, the link of e2; `petrel incidents show` has all of it",
    );
    expect(wordsOf(notice({ text: "a ".repeat(2_000) }), SHORT).isCut).toContain(
      "shortened: text;",
    );
  });

  test("a cause that nobody confirmed is called so", () => {
    const [seen] = notice().seenBefore;
    const words = wordsOf(
      notice({ seenBefore: seen ? [{ ...seen, isConfirmed: false }] : [] }),
      WHOLE,
    );
    expect(words.seenBefore[0]).toContain("(not confirmed)");
  });
});
