/**
 * The audit's own connection: the bridge and the audit commands read the stream where it lives, in the
 * AUDIT account when there is one, else in the mesh's own. Agents have no such access: they report, and
 * get acknowledgements.
 */
import { type JetStreamClient, type JetStreamManager, jetstream } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import { type ObjectStore, Objm } from "@nats-io/obj";
import { asPetrelError, type Logger, limits, PetrelError } from "../../core/mod.ts";
import {
  accountOf,
  type ConnectOptions,
  type Credentials,
  connectTo,
  GLOBAL_ACCOUNT,
  isForbidden,
  logConnection,
} from "../connect.ts";
import { auditSubject } from "../subjects.ts";
import { isStored } from "./require.ts";
import { AUDIT_STREAM, auditStream, ensureAuditStream, faultsOf } from "./stream.ts";

/** Bodies that are too large for a Kafka record, by SHA-256. They do not expire: records point to them. */
export const BODIES_BUCKET = "PETREL_AUDIT_BODIES";
/** What bridges share: a bucket for leases, and an object store for snapshots. */
export const BRIDGE_BUCKET = "PETREL_BRIDGE";

/** Seven days, in the unit of NATS. */
const SNAPSHOT_TTL_NANOS = 7 * 86_400 * 1e9;

export interface AuditAccessOptions extends Omit<ConnectOptions, keyof Credentials> {
  /** Of the AUDIT account (`audit.account`): these say that their account owns the stream. */
  readonly account?: Credentials;
  /** The mesh's own; used where `account` is not given. */
  readonly credentials?: Credentials;
  readonly log: Logger;
  /** For a stream that is made here, and the least an existing one should keep. */
  readonly retentionDays: number;
}

export class AuditAccess {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;

  private constructor(nc: NatsConnection, js: JetStreamClient, jsm: JetStreamManager) {
    this.nc = nc;
    this.js = js;
    this.jsm = jsm;
  }

  /**
   * Connects, makes the stream when it is missing and ours to make, and checks one that is there. Throws
   * UNAUTHENTICATED or UNAVAILABLE for the connection, UNAVAILABLE when there is no stream, and
   * CONFIG_INVALID naming each setting by which a stream could lose, remove or change reports. A stream
   * that merely keeps less than configured is logged as `audit.stream`.
   */
  static async open(options: AuditAccessOptions): Promise<AuditAccess> {
    const { account, credentials, log, retentionDays, ...connection } = options;
    const nc = await connectTo({ ...connection, ...(account ?? credentials) });
    try {
      const js = jetstream(nc, { checkAPI: false });
      const jsm = await js.jetstreamManager();
      const there = await auditStream(jsm);
      const config = there ?? (await makeStream(nc, jsm, options));
      const { errors, warnings } = faultsOf(config, retentionDays);
      if (errors.length > 0) throw unfit(errors);
      for (const warning of warnings) log.warn("audit.stream", { stream: AUDIT_STREAM, warning });
      logConnection(nc, log);
      return new AuditAccess(nc, js, jsm);
    } catch (error) {
      await nc.close();
      throw asPetrelError(error, "UNAVAILABLE", "nats");
    }
  }

  /** The object store for bodies that are too large; made when it is missing. */
  bodies(): Promise<ObjectStore> {
    return new Objm(this.js).create(BODIES_BUCKET, { description: "Bodies of audit records" });
  }

  /** The bridges' leases; the bucket is made when it is missing. */
  leases(): Promise<KV> {
    return new Kvm(this.js).create(BRIDGE_BUCKET, { history: 1 });
  }

  /**
   * The bridges' snapshots, of any size; a new one replaces the last. Made when it is missing. What a
   * killed bridge left half stored goes with time, as would a snapshot that nobody renews: it is a cache.
   */
  snapshots(): Promise<ObjectStore> {
    const description = "Snapshots of bridges";
    return new Objm(this.js).create(BRIDGE_BUCKET, { description, ttl: SNAPSHOT_TTL_NANOS });
  }

  async close(): Promise<void> {
    await this.nc.drain().catch(() => this.nc.close());
  }
}

/** Makes the stream if this account is the one to own it; throws what to do otherwise. */
async function makeStream(
  nc: NatsConnection,
  jsm: JetStreamManager,
  { account, name, retentionDays }: AuditAccessOptions,
) {
  const where = await accountOf(nc);
  if (!account && where !== GLOBAL_ACCOUNT) {
    throw new PetrelError(
      "UNAVAILABLE",
      `nats: account ${where ?? "(unknown)"} has no stream AUDIT: audit.account must name the credentials of the account that owns it`,
      { system: "nats", path: "audit.account" },
    );
  }
  if (await isStoredElsewhere(nc, name)) {
    throw new PetrelError(
      "CONFIG_INVALID",
      `nats: audit.account leads to account ${where ?? "(unknown)"}, which imports the audit; it must be the account that owns the stream`,
      { system: "nats", path: "audit.account" },
    );
  }
  try {
    return await ensureAuditStream(jsm, retentionDays);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    throw new PetrelError(
      "UNAVAILABLE",
      "nats: there is no stream AUDIT yet, and this user may not make it: the bridge does when it starts",
      { system: "nats" },
      error,
    );
  }
}

/** No stream here, and yet somebody stores. Who may not report cannot ask, and imports nothing. */
async function isStoredElsewhere(nc: NatsConnection, name: string): Promise<boolean> {
  try {
    return await isStored(nc, auditSubject(name, "start"), limits.CONNECT_TIMEOUT_MS);
  } catch (error) {
    if (error instanceof PetrelError && error.code === "UNAUTHENTICATED") return false;
    throw error;
  }
}

function unfit(errors: readonly string[]): PetrelError {
  const settings = errors.map((text) => text.split(" ", 1)[0]).join(", ");
  return new PetrelError("CONFIG_INVALID", `nats: stream ${AUDIT_STREAM}: ${errors.join("; ")}`, {
    system: "nats",
    stream: AUDIT_STREAM,
    settings,
  });
}
