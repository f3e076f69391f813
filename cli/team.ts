/** A whole team in one process: the evidence agents that are configured, and the SRE agent over them. */

import type { Mesh } from "../a2a/mod.ts";
import type { Llm, SreAgent, SreEvent } from "../agents/mod.ts";
import { readAudit, type Tally, tallyAudit } from "../bridge/mod.ts";
import type { Config, Logger } from "../core/mod.ts";
import { sinksOf } from "./sinks.ts";
import { llmOf } from "./systems.ts";
import {
  configuredSources,
  EVIDENCE_ROLES,
  type EvidenceRole,
  type ServedSre,
  serveEvidence,
  serveSre,
} from "./wire.ts";

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
  readonly evidence: readonly EvidenceRole[];
  readonly onEvent?: (event: SreEvent) => void;
  readonly llm?: Llm;
}

const DRAIN_MS = 10_000;

export async function startTeam(config: Config, log: Logger, options: TeamOptions): Promise<Team> {
  const llm = options.llm ?? llmOf(config);
  const { onEvent } = options;
  const named = [config.splunk, config.logs, config.prometheus].some((one) => one !== undefined);
  const wiring = {
    // An SRE agent that is told of no system asks every evidence agent there may be.
    sources: named ? configuredSources(config) : EVIDENCE_ROLES,
    sinks: sinksOf(config),
    ...(llm ? { llm } : {}),
    ...(onEvent ? { onEvent } : {}),
  };
  const serving = serveSre(config, log, wiring);
  const starting = options.evidence.map((role) => serveEvidence(config, role, log));
  try {
    const [served, evidence] = await Promise.all([serving, Promise.all(starting)]);
    return teamOf(served, evidence, llm?.name);
  } catch (error) {
    // One did not start: those that did must not stay.
    await Promise.allSettled([
      serving.then((served) => served.stop()),
      ...starting.map((one) => one.then((mesh) => mesh.close())),
    ]);
    throw error;
  }
}

function teamOf(served: ServedSre, evidence: readonly Mesh[], llm: string | undefined): Team {
  const { sre, mesh } = served;
  return {
    sre,
    mesh,
    llm,
    tally: async (signal) => {
      await Promise.all([mesh, ...evidence].map((one) => one.outbox.drain(DRAIN_MS)));
      return tallyAudit(readAudit({ js: mesh.js, jsm: mesh.jsm, follow: false, signal }));
    },
    stop: async () => {
      await served.stop();
      await Promise.all(evidence.map((one) => one.close()));
    },
  };
}

/** The evidence agents to start here. */
export function evidenceHere(config: Config, remote: boolean): EvidenceRole[] {
  return remote ? [] : configuredSources(config);
}
