/**
 * An SRE agent in a process of its own that may be killed at any moment: `bun host.ts SETTINGS`, where
 * SETTINGS is JSON of {@link HostSettings}. It investigates window N for a line `investigate N` on standard
 * input and says on standard error when the verdict stands (`verdict N`) and when it is done (`closed N`).
 */
import { createInterface } from "node:readline";
import { z } from "zod";
import { INVESTIGATIONS_BUCKET, SreAgent, type SreEvent } from "../../../agents/mod.ts";
import {
  type AlarmSink,
  alertmanagerSink,
  appendLine,
  jsonlSink,
  pagerdutySink,
  slackSink,
  webhookSink,
} from "../../../alarms/mod.ts";
import { makeLogger, messageOf, systemClock, type Window } from "../../../core/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { incidentSettings, RULES, SOURCE, WINDOW } from "../../agents/sre-fixtures.ts";
import { QUIET_WINDOWS } from "./plan.ts";

export const HostSettings = z.strictObject({
  nats: z.string(),
  outboxDir: z.string(),
  webhook: z.string(),
  pagerduty: z.string(),
  alertmanager: z.string(),
  slack: z.string(),
  /** A file. */
  jsonl: z.string(),
});
export type HostSettings = z.infer<typeof HostSettings>;

/** The name of every host in the mesh: a task of theirs is all of theirs. */
export const HOST = "sre";
/** A host that was killed is known to be gone after this. */
export const CARD_TTL_MS = 1_200;
const SUPERVISE_EVERY_MS = 200;
/** A receiver that hangs is given up after this, and asked again. */
const SINK_TIMEOUT_MS = 800;
const RETRY_FOR_MS = 120_000;
const OPEN_FOR_MS = 86_400_000;

export function windowOf(nth: number): Window {
  const lengthMs = WINDOW.endMs - WINDOW.startMs;
  const startMs = WINDOW.startMs + nth * lengthMs;
  return { startMs, endMs: startMs + lengthMs };
}

function sinksOf(settings: HostSettings): AlarmSink[] {
  const common = { minSeverity: "info", timeoutMs: SINK_TIMEOUT_MS } as const;
  const { webhook, pagerduty, alertmanager, slack, jsonl } = settings;
  return [
    webhookSink({ url: webhook, headers: {}, ...common, clock: systemClock }),
    pagerdutySink({ url: pagerduty, routingKey: "a-routing-key", ...common }),
    alertmanagerSink({ url: alertmanager, openForMs: OPEN_FOR_MS, ...common }),
    slackSink({ url: slack, ...common }),
    jsonlSink({ write: (line) => appendLine(jsonl, line) }),
  ];
}

function say(event: SreEvent): void {
  if (event.type === "verdict" || event.type === "closed") {
    console.error(`${event.type} ${event.id.slice(1)}`);
  }
}

async function main(settings: HostSettings): Promise<void> {
  const log = makeLogger({
    level: "info",
    pretty: false,
    write: (line) => void process.stderr.write(line),
  });
  const { nats, outboxDir } = settings;
  const mesh = await openMesh(nats, HOST, { log, outboxDir, cardTtlMs: CARD_TTL_MS });
  const sre = new SreAgent({
    mesh,
    kv: await mesh.kvm.create(INVESTIGATIONS_BUCKET, { history: 1 }),
    log,
    sources: [SOURCE],
    timeoutMs: 30_000,
    baselineWindows: 1,
    inFlightMax: 4,
    superviseEveryMs: SUPERVISE_EVERY_MS,
    sinks: sinksOf(settings),
    ...(await incidentSettings(mesh)),
    rules: { ...RULES, resolveAfterWindows: QUIET_WINDOWS, updateEveryMs: 0 },
    retryForMs: RETRY_FOR_MS,
    onEvent: say,
  });
  await sre.start();
  await mesh.serve(sre.definition);
  console.error("ready");
  for await (const line of createInterface({ input: process.stdin })) {
    const nth = Number(/^investigate (\d+)$/.exec(line)?.[1]);
    if (!Number.isSafeInteger(nth)) continue;
    sre.investigate(windowOf(nth), { id: `w${nth}` }).catch((error: unknown) => {
      console.error(`failed ${nth}: ${messageOf(error)}`);
    });
  }
}

if (import.meta.main) await main(HostSettings.parse(JSON.parse(process.argv[2] ?? "{}")));
