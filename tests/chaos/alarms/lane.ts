/** Where runs are made, one after the other: a real nats-server, and an agent that finds what a run's windows show. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KV } from "@nats-io/kv";
import { z } from "zod";
import type { Mesh, Turn } from "../../../a2a/mod.ts";
import { INCIDENTS_BUCKET } from "../../../agents/mod.ts";
import type { SourceReport } from "../../../streams/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { evidenceAgent, investigationsOf } from "../../agents/sre-fixtures.ts";
import { finding, report } from "../../agents/verdict-fixtures.ts";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { CARD_TTL_MS, HOST, windowOf } from "./host.ts";
import { planOf, type Shown, windowsOf } from "./plan.ts";
import { Run, type RunReport } from "./run.ts";

const Asked = z.looseObject({ window: z.strictObject({ start: z.string(), end: z.string() }) });

/** A server, a source of evidence, and one run after another. */
export class Lane {
  readonly #seed: number;
  readonly #nats: NatsServer;
  readonly #dir: string;
  /** Under the hosts' name, so that their tasks are ours to read. */
  readonly #mesh: Mesh;
  readonly #incidents: KV;
  readonly #investigations: KV;
  #shown: readonly Shown[] = [];

  private constructor(parts: {
    seed: number;
    nats: NatsServer;
    dir: string;
    mesh: Mesh;
    incidents: KV;
    investigations: KV;
  }) {
    this.#seed = parts.seed;
    this.#nats = parts.nats;
    this.#dir = parts.dir;
    this.#mesh = parts.mesh;
    this.#incidents = parts.incidents;
    this.#investigations = parts.investigations;
  }

  static async open(seed: number): Promise<Lane> {
    const nats = await startNats();
    const dir = await mkdtemp(join(tmpdir(), "petrel-alarms-"));
    const mesh = await openMesh(nats.url, HOST, { outboxDir: dir, cardTtlMs: CARD_TTL_MS });
    const investigations = await investigationsOf(mesh);
    const incidents = await mesh.kvm.create(INCIDENTS_BUCKET, { history: 1 });
    const lane = new Lane({ seed, nats, dir, mesh, incidents, investigations });
    const look = sourceOf(() => lane.#shown);
    await mesh.serve(evidenceAgent(investigations, mesh, look));
    return lane;
  }

  /** With `keepLogs` the hosts' logs stay where {@link dir} says. */
  async close({ keepLogs = false } = {}): Promise<void> {
    await this.#mesh.close();
    await this.#nats[Symbol.asyncDispose]();
    if (!keepLogs) await rm(this.#dir, { recursive: true, force: true });
  }

  /** Where the hosts' logs are. */
  get dir(): string {
    return this.#dir;
  }

  async run(nth: number): Promise<RunReport> {
    const plan = planOf(this.#seed, nth);
    this.#shown = windowsOf(plan);
    await this.#forget();
    const run = new Run(plan, {
      mesh: this.#mesh,
      incidents: this.#incidents,
      investigations: this.#investigations,
      nats: this.#nats.url,
      dir: this.#dir,
    });
    try {
      return await run.go();
    } finally {
      await run.end();
    }
  }

  /** A run knows nothing of the one before. */
  async #forget(): Promise<void> {
    for (const kv of [this.#incidents, this.#investigations]) {
      const { streamInfo } = await kv.status();
      await this.#mesh.jsm.streams.purge(streamInfo.config.name);
    }
  }
}

/** A source whose windows show what the lane's run says. */
function sourceOf(shown: () => readonly Shown[]): (turn: Turn) => Promise<SourceReport> {
  return async (turn) => {
    const { window } = Asked.parse(turn.data);
    const lengthMs = windowOf(1).startMs - windowOf(0).startMs;
    const nth = (Date.parse(window.start) - windowOf(0).startMs) / lengthMs;
    return report(findingsIn(shown()[nth] ?? "quiet"), { window });
  };
}

function findingsIn(shown: Shown) {
  if (shown === "quiet") return [];
  if (shown === "fault") return [finding()];
  const summary = "order-service logged 90 errors, 1 before.";
  return [finding(), finding({ id: "logs-2", service: "order-service", summary })];
}
