/** A whole team in one process: the evidence agents that are configured, and the SRE agent over them. */

import { appendFileSync } from "node:fs";
import type { Mesh } from "../a2a/mod.ts";
import {
  type AlarmSink,
  jsonLinesSink,
  type Llm,
  type SreAgent,
  type SreEvent,
  webhookSink,
} from "../agents/mod.ts";
import { readAudit, type Tally, tallyAudit } from "../bridge/mod.ts";
import type { Config, Logger } from "../core/mod.ts";
import { configuredSources, llmOf, serveEvidence, serveSre } from "./wire.ts";

export interface Team {
  readonly sre: SreAgent;
  readonly mesh: Mesh;
  readonly llm: string | undefined;
  /** Stores what is still in the outboxes, and counts the trail. */
  tally(signal: AbortSignal): Promise<Tally>;
  stop(): Promise<void>;
}

export interface TeamOptions {
  /** Evidence agents started here; none when those in the mesh are to be used. */
  readonly evidence: readonly ("splunk" | "metrics")[];
  readonly onEvent?: (event: SreEvent) => void;
  readonly llm?: Llm;
}

const DRAIN_MS = 10_000;

export async function startTeam(config: Config, log: Logger, options: TeamOptions): Promise<Team> {
  const evidence: Mesh[] = [];
  try {
    for (const role of options.evidence) evidence.push(await serveEvidence(config, role, log));
    const llm = options.llm ?? llmOf(config);
    const { onEvent } = options;
    const served = await serveSre(config, log, {
      sinks: sinksOf(config),
      ...(llm ? { llm } : {}),
      ...(onEvent ? { onEvent } : {}),
    });
    const { sre, mesh } = served;
    return {
      sre,
      mesh,
      llm: llm?.name,
      tally: async (signal) => {
        await Promise.all([mesh, ...evidence].map((one) => one.outbox.drain(DRAIN_MS)));
        return tallyAudit(readAudit({ js: mesh.js, jsm: mesh.jsm, follow: false, signal }));
      },
      stop: async () => {
        await served.stop();
        await Promise.all(evidence.map((one) => one.close()));
      },
    };
  } catch (error) {
    await Promise.all(evidence.map((one) => one.close()));
    throw error;
  }
}

/** The evidence agents to start here. */
export function evidenceHere(config: Config, remote: boolean): ("splunk" | "metrics")[] {
  return remote ? [] : configuredSources(config);
}

function sinksOf(config: Config): AlarmSink[] {
  const { jsonl, webhook } = config.alarms;
  const sinks: AlarmSink[] = [];
  if (jsonl === "-") sinks.push(jsonLinesSink((line) => void process.stdout.write(line)));
  else if (jsonl !== undefined) sinks.push(jsonLinesSink((line) => appendFileSync(jsonl, line)));
  if (webhook)
    sinks.push(
      webhookSink({ url: webhook.url, timeoutMs: webhook.timeout, headers: webhook.headers }),
    );
  return sinks;
}
