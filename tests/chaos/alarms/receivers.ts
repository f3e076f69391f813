/**
 * Where alarms arrive in a run: servers that keep notices as their systems do, drop what they have by its
 * key, and count every delivery all the same. Made to fail at first where the plan says so.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { SERVED, type Served, type SinkName, type Trouble } from "./plan.ts";

/** A notice that a receiver took, once more or for the first time. */
export interface Taken {
  readonly sink: SinkName;
  /** The notice's id, and what it was about, as the receiver reads it. */
  readonly id: string;
  readonly incident: string;
  readonly isEnd: boolean;
  /** All that was sent. */
  readonly body: string;
}

export interface ReceiversOptions {
  readonly troubles: Readonly<Record<Served, readonly Trouble[]>>;
  /** A file that the sink `jsonl` writes to. */
  readonly file: string;
  readonly onArrived: (sink: Served) => void | Promise<void>;
  readonly onAnswered: (sink: Served) => void;
}

export interface Receivers extends AsyncDisposable {
  readonly urls: Readonly<Record<Served, string>>;
  /** In the order they were taken, by sink. */
  taken(): Promise<readonly Taken[]>;
  /** What those with a key have now: `open` or `over` by key. */
  readonly held: Readonly<
    Record<"webhook" | "pagerduty" | "alertmanager", ReadonlyMap<string, string>>
  >;
}

const WebhookBody = z.looseObject({ id: z.string(), incident: z.string(), change: z.string() });
const PagerdutyBody = z.looseObject({
  event_action: z.enum(["trigger", "resolve"]),
  dedup_key: z.string(),
  payload: z.looseObject({
    custom_details: z.looseObject({ notice: z.string(), incident: z.string() }),
  }),
});
const Labels = z.record(z.string(), z.string());
const AlertmanagerBody = z
  .array(
    z.looseObject({
      labels: Labels,
      annotations: z.looseObject({ notice: z.string(), change: z.string() }),
    }),
  )
  .length(1);
const SLACK_IDS = /incident ([\w-]+) · notice ([\w.-]+) /;

type Held = Map<string, string>;
type Take = (text: string, headers: Headers) => Taken;

export function openReceivers(options: ReceiversOptions): Receivers {
  const { troubles, file } = options;
  const taken: Taken[] = [];
  const held = { webhook: new Map(), pagerduty: new Map(), alertmanager: new Map() } as const;
  const alerts = new Map<string, z.infer<typeof Labels>>();
  const takes: Readonly<Record<Served, Take>> = {
    webhook: (text, headers) => takeWebhook(held.webhook, text, headers),
    pagerduty: (text) => takePagerduty(held.pagerduty, text),
    alertmanager: (text) => takeAlerts(held.alertmanager, alerts, text),
    slack: takeSlack,
  };
  const answers: Readonly<Record<Served, (request: Request) => Response>> = {
    webhook: () => new Response(null, { status: 204 }),
    pagerduty: () =>
      Response.json({ status: "success", message: "Event processed" }, { status: 202 }),
    alertmanager: ({ method }) =>
      method === "GET"
        ? Response.json([...alerts.values()].map((labels) => ({ labels })))
        : new Response(""),
    slack: () => new Response("ok"),
  };
  const servers = SERVED.map((sink) => {
    const left = [...troubles[sink]];
    const fetch = async (request: Request): Promise<Response> => {
      const text = await request.text();
      await options.onArrived(sink);
      const trouble = left.shift();
      const isTaken = trouble === undefined || trouble.startsWith("taken-");
      if (isTaken && request.method === "POST") taken.push(takes[sink](text, request.headers));
      if (trouble?.endsWith("hang")) await new Promise<never>(() => {});
      if (trouble !== undefined) return refusal(trouble);
      setImmediate(() => options.onAnswered(sink));
      return answers[sink](request);
    };
    return [sink, Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch })] as const;
  });
  const urls = Object.fromEntries(
    servers.map(([sink, { port }]) => [sink, `http://127.0.0.1:${port}`]),
  ) as Record<Served, string>;
  return {
    urls,
    taken: async () => [...taken, ...(await readLines(file)).map(takeLine)],
    held,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map(([, server]) => server.stop(true)));
    },
  };
}

/** Lines that were written to their end. */
async function readLines(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

function refusal(trouble: Trouble): Response {
  return trouble === "429"
    ? new Response("slow down", { status: 429, headers: { "retry-after": "1" } })
    : new Response("out of order", { status: 500 });
}

function takeWebhook(held: Held, body: string, headers: Headers): Taken {
  const { id, incident, change } = WebhookBody.parse(JSON.parse(body));
  const isEnd = change === "resolved";
  held.set(headers.get("idempotency-key") ?? "no key", isEnd ? "over" : "open");
  return { sink: "webhook", id, incident, isEnd, body };
}

function takePagerduty(held: Held, body: string): Taken {
  const { event_action: action, dedup_key: key, payload } = PagerdutyBody.parse(JSON.parse(body));
  const { notice: id, incident } = payload.custom_details;
  const isEnd = action === "resolve";
  held.set(key, isEnd ? "over" : "open");
  return { sink: "pagerduty", id, incident, isEnd, body };
}

function takeAlerts(held: Held, active: Map<string, z.infer<typeof Labels>>, body: string): Taken {
  const [alert] = AlertmanagerBody.parse(JSON.parse(body));
  const { labels = {}, annotations } = alert ?? {};
  const key = labelsKey(labels);
  const isEnd = annotations?.change === "resolved";
  held.set(key, isEnd ? "over" : "open");
  if (isEnd) active.delete(key);
  else active.set(key, labels);
  const incident = labels["incident"] ?? "";
  return { sink: "alertmanager", id: annotations?.notice ?? "", incident, isEnd, body };
}

/** An alert is known by all of its labels, in whatever order. */
function labelsKey(labels: z.infer<typeof Labels>): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function takeSlack(body: string): Taken {
  const [, incident = "", id = ""] = SLACK_IDS.exec(body) ?? [];
  return { sink: "slack", id, incident, isEnd: body.startsWith('{"text":"RESOLVED: '), body };
}

function takeLine(body: string): Taken {
  const { id, incident, change } = WebhookBody.parse(JSON.parse(body));
  return { sink: "jsonl", id, incident, isEnd: change === "resolved", body };
}
