/**
 * A synthetic incident: payment-service runs out of database connections. Exact and repeatable, for
 * the demo and for tests that need to know every count; the real recording is replay/train-ticket.
 *
 * True in its window, 2026-03-13 14:20 to 14:25 UTC: 150 responses of payment-service are HTTP 500,
 * its requests take 1200 ms on average, its heap is at 95 %, up to 128 requests of a replica wait for
 * a connection. The 500s come at 30 a minute on average and at 12 a minute in the last one, because
 * order-service's circuit breaker opens: both figures are right, of different spans.
 */
import { batchesNewestFirst, type Recording } from "../replay/recording.ts";
import { type SimRow, splunkTime } from "../splunk/rows.ts";
import { type LogEvent, makeLogEvents } from "./payment-logs.ts";
import { paymentMetrics } from "./payment-metrics.ts";
import { PAYMENT_BASELINE, PAYMENT_WINDOW, START_MS } from "./payment-plan.ts";
import { makeTraffic } from "./payment-traffic.ts";

const SEED_DEFAULT = 20_260_313;
/** Template hash and suffix that a Deployment gives its pods. */
const POD_SUFFIXES = ["6d5c7f9b88-x2k4q", "6d5c7f9b88-m9wtz"] as const;

/** The recording; the same seed gives the same bytes. */
export function paymentScenario(seed = SEED_DEFAULT): Recording {
  const traffic = makeTraffic(seed);
  const allEvents = makeLogEvents(traffic);
  const recorded = { startMs: START_MS, endMs: PAYMENT_WINDOW.endMs };
  const events = allEvents.filter((e) => e.timeMs >= START_MS && e.timeMs < recorded.endMs);
  return {
    name: "payment",
    windows: [
      {
        id: "20260313-1420-payment-connection_pool",
        kind: "connection_pool",
        service: "payment-service",
        window: PAYMENT_WINDOW,
        logCoverage: recorded,
        logBaselines: [PAYMENT_BASELINE],
        metricBaseline: PAYMENT_BASELINE,
        note: "Synthetic. 500s: 150 in the window, 30 a minute on average, 12 in the last minute.",
      },
    ],
    async *logRows({ earliestMs, latestMs, services }) {
      const wanted = events.filter(
        ({ timeMs, service }) =>
          timeMs >= earliestMs &&
          timeMs < latestMs &&
          (services === undefined || services.includes(service)),
      );
      yield* batchesNewestFirst(wanted, toRow);
    },
    async *openMetrics() {
      yield* paymentMetrics(traffic, allEvents);
    },
  };
}

function toRow({ timeMs, service, replica, text }: LogEvent): SimRow {
  const pod = `${service}-${POD_SUFFIXES[replica] ?? POD_SUFFIXES[0]}`;
  return {
    _time: splunkTime(timeMs),
    _raw: text,
    host: pod,
    source: `/var/log/pods/payments_${pod}/${service}/0.log`,
    sourcetype: `kube:container:${service}`,
    pod,
    container: service,
  };
}
