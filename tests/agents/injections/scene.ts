/** The seed incident (payment-service, pool exhausted) as two reports, with one text of an attacker in it. */

import type { Verdict } from "../../../agents/mod.ts";
import { conclude } from "../../../agents/sre/conclude.ts";
import type { SeenBefore } from "../../../alarms/mod.ts";
import type { Finding } from "../../../streams/mod.ts";
import { MINUTE_MS, report, START_MS, windowAt } from "../verdict-fixtures.ts";
import { type Injection, type Place, SECRET_LINE } from "./data.ts";

const at = (minutes: number) => new Date(START_MS + minutes * MINUTE_MS).toISOString();

/** The text, where it belongs to this place. */
type In = (place: Place, otherwise: string) => string;

function logFindings(text: In): Finding[] {
  const pool = "HikariPool-<NUM> - Connection is not available, request timed out after <NUM>ms.";
  const template = text("template", pool);
  return [
    {
      id: "logs-1",
      kind: "error_burst",
      service: "payment-service",
      resource: "connection_pool",
      summary: `150 times ERROR "${template}" where 0 were expected.`,
      score: 40,
      anomalous: true,
      direction: "up",
      value: 150,
      baseline: 0,
      template,
      exception: text("exception text", "SQLTransientConnectionException").slice(0, 200),
      exemplars: [text("log line", "HikariPool-1 - Connection is not available"), SECRET_LINE],
    },
    {
      id: "logs-2",
      kind: "http_5xx",
      service: "payment-service",
      summary: "150 HTTP 500 in 5 minutes.",
      score: 20,
      anomalous: true,
      direction: "up",
      value: 150,
      baseline: 1,
      exemplars: [text("exemplar", SECRET_LINE)],
    },
    {
      id: "logs-3",
      kind: "http_5xx",
      service: text("service label", "order-service").slice(0, 200),
      summary: "12 HTTP 500 in 5 minutes.",
      score: 4,
      anomalous: true,
      direction: "up",
      peer: text("peer name", "payment-service").slice(0, 200),
    },
  ];
}

function metricFindings(text: In): Finding[] {
  return [
    {
      id: "metrics-1",
      kind: "metric_deviation",
      service: "payment-service",
      resource: "connection_pool",
      summary: `94 connection timeouts {${text("metric label", 'pool="main"')}}, normally 0.`,
      score: 30,
      anomalous: true,
      direction: "up",
      value: 94,
      baseline: 0,
      metric: "hikaricp_connections_timeout_total",
    },
  ];
}

/** The verdict the SRE agent reaches; with `undefined` nobody attacks. */
export function verdictOf(injection: Injection | undefined): Verdict {
  const text: In = (place, otherwise) => (injection?.where === place ? injection.text : otherwise);
  const dependencies = [{ caller: "order-service", callee: "payment-service", count: 900 }];
  const logs = report(logFindings(text), { dependencies });
  const metrics = report(metricFindings(text), { source: "metrics" });
  const answered = (agent: string, one: typeof logs) => ({
    agent,
    tookMs: 100,
    answer: {
      kind: "reply" as const,
      reply: { status: "answered" as const, messageId: agent, taskId: agent, report: one },
    },
  });
  const failed = {
    agent: "traces",
    tookMs: 100,
    answer: {
      kind: "reply" as const,
      reply: {
        status: "failed" as const,
        messageId: "traces",
        taskId: "traces",
        code: "UNAVAILABLE",
        reason: text("source failure", "the source is away"),
      },
    },
  };
  const agents = ["splunk", "metrics", "traces"];
  return conclude(
    {
      id: injection?.id ?? "control",
      window: windowAt(),
      baseline: [],
      sources: agents.map((agent) => ({ agent, messageId: agent })),
      timeoutMs: 60_000,
      state: "open",
      owner: "test",
      owners: 1,
      traceparent: "",
      openedAt: at(5),
    },
    [answered("splunk", logs), answered("metrics", metrics), failed],
    { concludedAt: at(6) },
  );
}

/** What the incidents remember of before. */
export function memoryOf(injection: Injection | undefined): SeenBefore[] {
  if (injection?.where !== "seen before") return [];
  const incident = "01a200a5-874f-74fb-82d0-e213699a5ad0";
  return [{ incident, at: at(-9_000), cause: injection.text, isConfirmed: false, similarity: 0.9 }];
}
