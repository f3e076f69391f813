/**
 * What every evidence agent does around its own work: read the request, do the work within the
 * deadline, put the reply where the coordinator looks for it, and end the task the same way.
 */
import type { KV } from "@nats-io/kv";
import type { AgentDefinition, SkillWords, Turn, TurnResult } from "../a2a/mod.ts";
import { asPetrelError, type Clock, PetrelError, withRetry } from "../core/mod.ts";
import { ARTIFACT_NAME, fitReport, type SourceReport } from "../streams/mod.ts";
import { type InvestigateRequest, readRequest } from "./protocol.ts";
import { writeReply } from "./replies.ts";

export interface EvidenceAgentOptions {
  readonly name: string;
  readonly description: string;
  readonly skill: SkillWords;
  /** The bucket of {@link INVESTIGATIONS_BUCKET}. */
  readonly kv: KV;
  readonly clock: Clock;
  /** Reads one window and says what it found. Throws PetrelError when the source failed. */
  readonly look: (request: InvestigateRequest, turn: Turn) => Promise<SourceReport>;
}

const PROGRESS_EVERY_MS = 250;
/** A system that is busy or cuts a stream is asked again before the source counts as failed. */
const LOOKS = { firstMs: 500, capMs: 5_000, attemptsMax: 4 };
const WRITES = { firstMs: 200, capMs: 2_000, attemptsMax: 10 };
const WRITE_MS_MAX = 20_000;

export function makeEvidenceAgent(options: EvidenceAgentOptions): AgentDefinition {
  return {
    name: options.name,
    description: options.description,
    version: "1.0.0",
    skills: [options.skill],
    // It only reads, and its reply is created once: another replica may do the turn again.
    repeatable: true,
    run: (turn) => answer(options, turn),
  };
}

async function answer(options: EvidenceAgentOptions, turn: Turn): Promise<TurnResult> {
  const { kv, name } = options;
  const request = readRequest(turn.data);
  const reply = { messageId: request.replyTo ?? turn.message.messageId, taskId: turn.taskId };
  try {
    const report = fitReport(await withinDeadline(options, request, turn));
    await put(options, turn, () =>
      writeReply(kv, request.investigation, name, { status: "answered", ...reply, report }),
    );
    await turn.artifact(ARTIFACT_NAME, report);
    return { kind: "completed", text: `${report.outcome}: ${report.findings.length} findings` };
  } catch (error) {
    if (turn.signal.aborted) throw error;
    const { code, message } = asPetrelError(error, "INTERNAL", name);
    turn.log.warn("evidence.failed", { windowId: request.investigation, error });
    const reason = message.slice(0, 1_000);
    await put(options, turn, () =>
      writeReply(kv, request.investigation, name, { status: "failed", ...reply, code, reason }),
    );
    return { kind: "failed", text: reason };
  }
}

/** Stops the work when nobody waits for it any more. */
async function withinDeadline(
  options: EvidenceAgentOptions,
  request: InvestigateRequest,
  turn: Turn,
): Promise<SourceReport> {
  const leftMs = turn.deadlineMs - options.clock.nowMs();
  const late = new AbortController();
  const timer = setTimeout(
    () => {
      const message = `${options.name}: not finished after ${leftMs} ms`;
      late.abort(new PetrelError("DEADLINE_EXCEEDED", message, { leftMs }));
    },
    Math.max(1, leftMs),
  );
  try {
    const signal = AbortSignal.any([turn.signal, late.signal]);
    const progress = paced(options.clock, turn);
    const retrying = {
      clock: options.clock,
      signal,
      deadlineMs: turn.deadlineMs,
      onRetry: told(turn),
    };
    return await withRetry(LOOKS, retrying, () =>
      options.look(request, { ...turn, signal, progress }),
    );
  } finally {
    clearTimeout(timer);
  }
}

function told(turn: Turn) {
  return (error: unknown, attempt: number, waitMs: number) =>
    turn.log.warn("evidence.again", { attempt, waitMs: Math.round(waitMs), error });
}

/** Progress at a pace people can read; one that says `done` always passes. */
function paced(clock: Clock, turn: Turn): Turn["progress"] {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (text, data) => {
    const now = clock.nowMs();
    if (data?.done !== true && now - lastMs < PROGRESS_EVERY_MS) return;
    lastMs = now;
    turn.progress(text, data);
  };
}

/** Writes the reply, again while NATS is away: evidence that was found is not lost to a restart. */
async function put(
  { clock }: EvidenceAgentOptions,
  turn: Turn,
  write: () => Promise<boolean>,
): Promise<void> {
  const deadlineMs = clock.nowMs() + WRITE_MS_MAX;
  const retrying = { clock, signal: turn.signal, deadlineMs, onRetry: told(turn) };
  const first = await withRetry(WRITES, retrying, () =>
    write().catch((error: unknown) => {
      throw asPetrelError(error, "UNAVAILABLE", "reply");
    }),
  );
  if (!first) turn.log.info("reply.duplicate");
}
