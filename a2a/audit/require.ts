/**
 * Nobody joins the mesh whose reports would go nowhere. An agent cannot see a stream in another account, so
 * the subject itself is asked: a publish that expects a stream of another name is refused by any stream
 * that listens there, across accounts, and stored by none.
 *
 * Who makes the stream: on a server without accounts whoever comes first, for there everybody is one
 * account. Elsewhere never we: a second AUDIT stream, in an account that imports the first, would
 * acknowledge reports and keep them where nobody reads.
 */
import { JetStreamApiError, jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { type Clock, PetrelError } from "../../core/mod.ts";
import { accountOf, GLOBAL_ACCOUNT, isForbidden } from "../connect.ts";
import { ensureAuditStream } from "./stream.ts";

export interface RequireAuditOptions {
  readonly nc: NatsConnection;
  /** A subject we may report on. Nothing is stored there. */
  readonly subject: string;
  /** For a stream that is made here, in days. */
  readonly retentionDays: number;
  readonly clock: Clock;
  /** How long a stream may take to appear: the mesh and the bridge may start together. */
  readonly timeoutMs: number;
}

const ASK_AGAIN_MS = 250;
const NO_STREAM = "NONE_OF_THIS_NAME";

/**
 * Resolves once a stream stores what is published on `subject`. Throws UNAVAILABLE when there is none in
 * time, UNAUTHENTICATED when we may not publish there.
 */
export async function requireAudit(options: RequireAuditOptions): Promise<void> {
  const { nc, subject, retentionDays, clock, timeoutMs } = options;
  const deadlineMs = clock.nowMs() + timeoutMs;
  if (await isStored(nc, subject, timeoutMs)) return;
  const account = await accountOf(nc);
  if (account === GLOBAL_ACCOUNT) {
    await ensureAuditStream(
      await jetstream(nc, { checkAPI: false }).jetstreamManager(),
      retentionDays,
    );
    return;
  }
  while (clock.nowMs() < deadlineMs) {
    await clock.sleep(ASK_AGAIN_MS);
    if (await isStored(nc, subject, Math.max(1, deadlineMs - clock.nowMs()))) return;
  }
  const importer = account === undefined ? "our account" : `account ${account}`;
  throw new PetrelError(
    "UNAVAILABLE",
    `nats: the audit is not being stored: nobody acknowledges ${subject}. Either there is no stream AUDIT yet ` +
      `(the bridge makes it), or ${importer} does not import the service audit.>`,
    { system: "nats", subject, ...(account === undefined ? {} : { account }) },
  );
}

/** Whether a stream listens on `subject`, in this account or behind an import. Stores nothing. */
export async function isStored(
  nc: NatsConnection,
  subject: string,
  timeoutMs: number,
): Promise<boolean> {
  try {
    const expect = { streamName: NO_STREAM };
    await jetstream(nc, { checkAPI: false }).publish(subject, "", { expect, timeout: timeoutMs });
    return true;
  } catch (error) {
    if (error instanceof JetStreamApiError) return true;
    if (isForbidden(error)) {
      throw new PetrelError(
        "UNAUTHENTICATED",
        `nats: the server refuses our reports on ${subject}: the user needs the right to publish there`,
        { system: "nats", subject },
        error,
      );
    }
    if (isUnanswered(error)) return false;
    throw error;
  }
}

/** Nobody listens (the library reads that as "no JetStream"), or a stream without a leader. */
function isUnanswered(error: unknown): boolean {
  return error instanceof Error && /^(JetStreamNotEnabled|TimeoutError)$/.test(error.name);
}
