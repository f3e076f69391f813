/**
 * The requests of the payment scenario: who called whom, when, how long it took and how it ended.
 * Logs and metrics are both made from this one list, so they cannot contradict each other. The plan
 * behind it, and its story, stand in payment-plan.ts.
 */
import { endMs, makePlan, type Planned } from "./payment-plan.ts";
import { Random } from "./random.ts";

export const SERVICE_NAMES = [
  "api-gateway",
  "order-service",
  "payment-service",
  "auth-service",
  "ledger-service",
  "notification-service",
] as const;
export type PaymentServiceName = (typeof SERVICE_NAMES)[number];

export const REPLICAS: Readonly<Record<PaymentServiceName, number>> = {
  "api-gateway": 2,
  "order-service": 2,
  "payment-service": 2,
  "auth-service": 1,
  "ledger-service": 1,
  "notification-service": 1,
};

export type Ending =
  | "ok"
  /** payment-service waited 30 s for a connection. */
  | "pool_timeout"
  /** A caller got the 500 of payment-service. */
  | "upstream_failed"
  /** order-service's circuit breaker let nothing through. */
  | "breaker_open"
  /** The gateway passes on a 503. */
  | "passed_on";

export interface Call {
  readonly service: PaymentServiceName;
  readonly replica: number;
  readonly startMs: number;
  readonly latencyMs: number;
  readonly method: "GET" | "POST";
  /** With its template, as Micrometer labels it. */
  readonly uri: string;
  readonly status: number;
  readonly ending: Ending;
  readonly traceId: string;
  readonly spanId: string;
}

export interface Traffic {
  /** In order of completion. */
  readonly calls: readonly Call[];
  /** Requests of a replica of payment-service that wait for a connection at an instant. */
  readonly waitingAt: (replica: number, timeMs: number) => number;
}

export function makeTraffic(seed: number): Traffic {
  const random = new Random(seed);
  const plan = makePlan(random);
  const calls = [
    ...plan.lookups.flatMap((planned) => lookupCalls(planned, random)),
    ...plan.charges.flatMap((planned) => orderCalls(planned, random)),
    ...plan.rejectedMs.flatMap((startMs, index) => rejectedCalls(startMs, index % 2, random)),
  ];
  calls.sort((a, b) => endMs(a) - endMs(b) || (a.spanId < b.spanId ? -1 : 1));
  return { calls, waitingAt: plan.waitingAt };
}

function lookupCalls(planned: Planned, random: Random): Call[] {
  const traceId = random.hex(32);
  const uri = "/api/v1/payments/{id}";
  const rest = { method: "GET", uri, status: 200, ending: "ok", traceId } as const;
  return [
    { ...rest, ...serve("payment-service", planned, random, 0, 0) },
    { ...rest, ...serve("api-gateway", planned, random, -3, random.between(4, 6)) },
  ];
}

/** An order goes gateway, order, auth, payment and, once charged, ledger and notification. */
function orderCalls(planned: Planned, random: Random): Call[] {
  const traceId = random.hex(32);
  const isCharged = planned.ending === "ok";
  const post = { method: "POST", traceId } as const;
  const ok = { ...post, ending: "ok", status: 200 } as const;
  const single = { replica: 0, startMs: planned.startMs, latencyMs: 0 };
  const after = { ...single, startMs: endMs(planned) };
  const calls: Call[] = [
    {
      ...ok,
      uri: "/api/v1/tokens/verify",
      ...serve("auth-service", single, random, -12, random.between(3, 9)),
    },
    {
      ...post,
      uri: "/api/v1/payments",
      status: isCharged ? 201 : 500,
      ending: planned.ending,
      ...serve("payment-service", planned, random, 0, 0),
    },
    {
      ...post,
      uri: "/api/v1/orders",
      status: isCharged ? 201 : 503,
      ending: isCharged ? "ok" : "upstream_failed",
      ...serve("order-service", planned, random, -15, random.between(50, 60)),
    },
    {
      ...post,
      uri: "/api/v1/orders",
      status: isCharged ? 201 : 503,
      ending: isCharged ? "ok" : "passed_on",
      ...serve("api-gateway", planned, random, -18, random.between(64, 70)),
    },
  ];
  if (!isCharged) return calls;
  calls.push(
    {
      ...ok,
      uri: "/api/v1/entries",
      ...serve("ledger-service", after, random, 2, random.between(6, 18)),
    },
    {
      ...ok,
      uri: "/api/v1/notifications",
      ...serve("notification-service", after, random, 24, random.between(4, 11)),
    },
  );
  return calls;
}

function rejectedCalls(startMs: number, replica: number, random: Random): Call[] {
  const rest = { method: "POST", uri: "/api/v1/orders", status: 503 } as const;
  const traceId = random.hex(32);
  const planned = { replica, startMs, latencyMs: random.between(9, 14) };
  return [
    { ...rest, traceId, ending: "breaker_open", ...serve("order-service", planned, random, 3, 0) },
    { ...rest, traceId, ending: "passed_on", ...serve("api-gateway", planned, random, 0, 5) },
  ];
}

/** Where and when a service worked on it: from `leadMs` after the plan's start, `extraMs` longer. */
function serve(
  service: PaymentServiceName,
  planned: { replica: number; startMs: number; latencyMs: number },
  random: Random,
  leadMs: number,
  extraMs: number,
): Pick<Call, "service" | "replica" | "startMs" | "latencyMs" | "spanId"> {
  return {
    service,
    replica: planned.replica % REPLICAS[service],
    startMs: planned.startMs + leadMs,
    latencyMs: planned.latencyMs + extraMs,
    spanId: random.hex(16),
  };
}
