/** The sinks that speak HTTP, and how their receivers answer when all is well. */
import {
  type AlarmSink,
  alertmanagerSink,
  grafanaSink,
  pagerdutySink,
  slackSink,
  teamsSink,
  webhookSink,
} from "../../alarms/mod.ts";
import { systemClock } from "../../core/mod.ts";
import { type Answer, answers } from "./receiver.ts";

export interface HttpCase {
  readonly name: string;
  /** The sink against a receiver at `origin`. */
  readonly sinkAt: (origin: string, timeoutMs?: number) => AlarmSink;
  /** As documented, for every request it makes. */
  readonly good: Answer;
  /** Answers of 200 that say it did not work, or that the system never gives. */
  readonly lies: readonly Answer[];
  /** What no error may show. */
  readonly secret: string;
}

const HTML = answers.text("<html><body>Sign in to the Wi-Fi</body></html>", 200, {
  "content-type": "text/html",
});

/** A body without end. */
const endless: Answer = () =>
  new Response(
    new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) }),
  );

const common = (timeoutMs = 10_000) => ({ minSeverity: "info" as const, timeoutMs });

/** By method: what is looked up first, and what is posted. */
function each(get: Answer, post: Answer): Answer {
  return (request) => (request.method === "GET" ? get(request) : post(request));
}

export const HTTP_CASES: readonly HttpCase[] = [
  {
    name: "webhook",
    sinkAt: (origin, timeoutMs) =>
      webhookSink({
        url: `${origin}/hooks/hush-hush-hush`,
        headers: { "x-team": "payments", "x-key": "hush-hush-hush" },
        ...common(timeoutMs),
        clock: systemClock,
      }),
    good: answers.text("", 204),
    lies: [],
    secret: "hush-hush-hush",
  },
  {
    name: "slack",
    sinkAt: (origin, timeoutMs) =>
      slackSink({ url: `${origin}/services/T000/B000/hush-hush-hush`, ...common(timeoutMs) }),
    good: answers.text("ok"),
    lies: [
      HTML,
      endless,
      answers.text(""),
      answers.json({ ok: false, error: "channel_is_archived" }),
    ],
    secret: "hush-hush-hush",
  },
  {
    name: "pagerduty",
    sinkAt: (origin, timeoutMs) =>
      pagerdutySink({ url: origin, routingKey: "hush-hush-hush", ...common(timeoutMs) }),
    good: answers.json({ status: "success", message: "Event processed", dedup_key: "i" }, 202),
    lies: [
      HTML,
      endless,
      answers.text(""),
      answers.json({ status: "invalid event", message: "Event object is invalid" }),
    ],
    secret: "hush-hush-hush",
  },
  {
    name: "alertmanager",
    sinkAt: (origin, timeoutMs) =>
      alertmanagerSink({
        url: `${origin}/`,
        authorization: "Bearer hush-hush-hush",
        openForMs: 86_400_000,
        ...common(timeoutMs),
      }),
    good: each(answers.json([]), answers.text("")),
    lies: [
      HTML,
      endless,
      answers.json({ status: "success", data: [] }),
      each(answers.json([]), HTML),
      each(answers.json([]), endless),
    ],
    secret: "hush-hush-hush",
  },
  {
    name: "teams",
    sinkAt: (origin, timeoutMs) =>
      teamsSink({
        url: `${origin}/workflows/0123/triggers/manual/paths/invoke?api-version=1&sig=hush-hush-hush`,
        ...common(timeoutMs),
      }),
    good: answers.text("", 202),
    lies: [
      HTML,
      endless,
      answers.text("Webhook message delivery failed with error: Bad payload received"),
    ],
    secret: "hush-hush-hush",
  },
  {
    name: "grafana",
    sinkAt: (origin, timeoutMs) =>
      grafanaSink({ url: origin, token: "hush-hush-hush", ...common(timeoutMs) }),
    good: each(answers.json([]), answers.json({ message: "Annotation added", id: 1 })),
    lies: [HTML, endless, each(answers.json([]), HTML), each(answers.json([]), answers.json({}))],
    secret: "hush-hush-hush",
  },
];
