/** Incidents for tests of the command: one as they come, and one whose every text is hostile. */
import { Incident } from "../../agents/mod.ts";

export const POOL_ID = "01ad5b2e-8c00-7a11-9f00-0000000000a1";
export const NEXT_ID = "01ad5b2e-8c00-7a11-9f00-0000000000b2";
/** When the command is run, in tests that render. */
export const NOW_MS = Date.parse("2026-11-30T03:55:20.000Z");

const WINDOW = { start: "2026-11-30T03:05:00.000Z", end: "2026-11-30T03:10:00.000Z" };

/** The payment service's connection pool, three windows on, explained by a model. */
export function poolIncident(more: Partial<Incident> = {}): Incident {
  return Incident.parse({
    id: POOL_ID,
    fingerprint: "5f1c0a2b9d3e4f5061728394",
    kind: "fault",
    state: "open",
    severity: "critical",
    service: "payment-service",
    mechanism: "database connection pool exhausted",
    location: "database connection pool",
    title: "payment-service: database connection pool exhausted",
    confidence: 0.95,
    services: ["payment-service", "order-service", "api-gateway"],
    openedAt: "2026-11-30T03:12:05.000Z",
    updatedAt: "2026-11-30T03:22:05.000Z",
    firstWindow: WINDOW,
    lastWindow: { start: "2026-11-30T03:15:00.000Z", end: "2026-11-30T03:20:00.000Z" },
    windows: 3,
    investigation: "20261130T031500Z-300s",
    investigations: ["20261130T030500Z-300s", "20261130T031000Z-300s", "20261130T031500Z-300s"],
    causes: [
      causeOf("payment-service", "database connection pool exhausted", 0.95, ["e1", "e2"]),
      { ...causeOf("order-service", "latency", 0.31, ["e3"]), against: ["e1"] },
    ],
    evidence: [
      evidenceOf("e1", "logs", "150 times ERROR where 0 were expected.", 150, 0, "lines"),
      evidenceOf("e2", "metrics", "94 connection timeouts, normally 0.", 94, 0, "timeouts"),
      evidenceOf("e3", "metrics", "Mean latency 1,200 ms (rule: at most 1,000 ms).", 1_200, 1_000),
      evidenceOf("e4", "metrics", "CPU at 33 %, normally 11 %.", 33, 11, "%"),
    ],
    explanation: {
      by: "gpt-4o-mini",
      title: "payment-service: database connection pool exhausted",
      text:
        "Requests waited 30 s for a connection and failed [e1]. The pool has none left [e2]; " +
        "answers take 1.2 s [e3].",
      next: ["Look for slow statements in the database payment-service uses."],
      statements: [],
      struck: [{ text: "The database host is down [e9].", why: "there is no evidence e9" }],
      remarks: ["The budget for tools was spent after 2 calls."],
      confidence: 0.9,
      tools: [toolOf("splunk_search", "ok"), toolOf("shell", "refused")],
      cost: COST,
    },
    seenBefore: [
      {
        incident: "01ac0000-0000-7000-8000-000000000001",
        at: "2026-11-02T10:00:00.000Z",
        cause: "payment-service: database connection pool exhausted",
        isConfirmed: true,
        similarity: 0.93,
      },
    ],
    links: [{ title: "payment-service", url: "https://grafana.example/d/payment-service" }],
    cost: COST,
    timeline: [
      changeOf(1, "opened", "2026-11-30T03:12:05.000Z", { slack: "delivered", pagerduty: "dead" }),
      changeOf(2, "updated", "2026-11-30T03:17:05.000Z", { slack: "pending" }),
    ],
    taskId: "7d1f10f4-e5de-8922-a02f-e4fd94f7444b",
    ...more,
  });
}

const COST = { calls: 2, toolCalls: 2, promptTokens: 3_412, completionTokens: 512, usd: 0.0123 };

function causeOf(service: string, mechanism: string, confidence: number, evidence: string[]) {
  const next = [`Check ${service}.`];
  return {
    service,
    mechanism,
    score: 9,
    confidence,
    evidence,
    against: [],
    affected: ["api-gateway"],
    next,
  };
}

function evidenceOf(
  id: string,
  source: "logs" | "metrics",
  summary: string,
  value: number,
  baseline: number,
  unit = "ms",
) {
  const link = `https://${source}.example/search?q=${id}`;
  const finding = {
    id: `${source}-1`,
    kind: unit === "ms" ? "rule" : "error_burst",
    service: "payment-service",
    summary,
    score: 12.5,
    anomalous: true,
    direction: "up",
    value,
    baseline,
    unit,
    link,
  };
  return { id, source, finding };
}

function toolOf(tool: string, outcome: "ok" | "refused") {
  const note = outcome === "ok" ? "12 lines" : "it is not on the list";
  return { tool, arguments: '{"q":"index=payments"}', outcome, note, tookMs: 1_234 };
}

function changeOf(seq: number, kind: string, at: string, deliveries: Record<string, string>) {
  const text = kind === "opened" ? "Seen in a window." : "order-service suffers too.";
  return { seq, kind, at, text, deliveries };
}

/** Orders to a terminal, a line of its own, text that runs backwards, and invisible letters. */
export const HOSTILE = "\u001b[2J\u001b]0;\u0007\nresolved\r\u202Eevil\u2066\u009b31m\u200b\u0000x";

/** An incident with {@link HOSTILE} in every text that may hold anything. */
export function hostileIncident(id: string): Incident {
  const incident = poolIncident({ id });
  return Incident.parse(poisoned(incident));
}

const FREE = new Set(
  (
    "service mechanism location title services summary text by title next why remarks tool " +
    "arguments note cause at openedAt taskId link unit affected template exemplars"
  ).split(" "),
);

/** The same value with {@link HOSTILE} behind every text under a name of {@link FREE}. */
function poisoned(value: unknown, name = ""): unknown {
  if (typeof value === "string") return FREE.has(name) ? `${value}${HOSTILE}` : value;
  if (Array.isArray(value)) return value.map((one) => poisoned(one, name));
  if (typeof value !== "object" || value === null) return value;
  if (name === "deliveries") return { [`slack${HOSTILE}`]: "dead" };
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, poisoned(one, key)]));
}
