/**
 * One run: agents call each other, bridges carry the audit to Kafka, and all of them are killed as the
 * plan says. Kills of one kind come one after the other, each once the one before is recovered from;
 * kills of different kinds meet as they may.
 */
import { headers as makeHeaders } from "@nats-io/nats-core";
import { PACK_HEADER } from "../../a2a/mod.ts";
import { KafkaReader } from "../../bridge/mod.ts";
import { systemClock } from "../../core/mod.ts";
import { checkTrail, count, figure, promise, type Row } from "./check.ts";
import { type ChaosOptions, type Kill, planOf, type Victim } from "./plan.ts";
import { Stage } from "./stage.ts";
import { lastLedger } from "./trail.ts";
import { makeWorld } from "./world.ts";

/** How a run stands. */
export interface ChaosProgress {
  readonly doing: string;
  readonly envelopes: number;
  readonly kills: Readonly<Record<Victim, number>>;
}

export interface ChaosReport {
  readonly rows: readonly Row[];
  readonly isGood: boolean;
  readonly seconds: number;
  /** Where the logs are, when it is not good. */
  readonly dir: string;
}

/** A standby takes over after a lease's term; so much time belongs to each kill of a bridge. */
const PER_BRIDGE_KILL_S = 7;
const ENVELOPES_PER_CALL = 2.7;
/** Envelopes by which the agents may be ahead of the plan. */
const AHEAD_MAX = 1_000;

/** Of two bridges: kills that meet the one that stands by, and those that follow a pause. */
const STANDBY_SHARE = 0.2;
const PAUSED_SHARE = 0.2;
/** Packs that are stored a second time, after each kill of an agent. */
const COPIES = 3;

export async function runChaos(
  options: ChaosOptions,
  onProgress: (progress: ChaosProgress) => void,
): Promise<ChaosReport> {
  const startedMs = systemClock.nowMs();
  onProgress({
    doing: "starting",
    envelopes: 0,
    kills: { bridge: 0, nats: 0, kafka: 0, agent: 0 },
  });
  await using world = await makeWorld();
  await using stage = new Stage(world, options);
  const run = new Run(stage, options, onProgress);
  const rows = await run.toItsEnd();
  const isGood = rows.every(({ isBroken }) => !isBroken);
  if (isGood) world.drop();
  const seconds = Math.round((systemClock.nowMs() - startedMs) / 1_000);
  return { rows, isGood, seconds, dir: world.dir };
}

class Run {
  readonly #stage: Stage;
  readonly #options: ChaosOptions;
  readonly #onProgress: (progress: ChaosProgress) => void;
  readonly #kills = { bridge: 0, nats: 0, kafka: 0, agent: 0 };
  /** Of each kind, where its next kill is due; Infinity once there is none. */
  readonly #due = new Map<Victim, number>();
  /** Longest recovery from a kill, by its kind, in milliseconds. */
  readonly #longestMs = new Map<Victim, number>();
  readonly #pace: number;
  #doing = "killing";
  #copies = 0;
  #pauses = 0;

  constructor(stage: Stage, options: ChaosOptions, onProgress: (progress: ChaosProgress) => void) {
    this.#stage = stage;
    this.#options = options;
    this.#onProgress = onProgress;
    const { envelopes, bridgeKills } = options;
    const seconds = Math.max(10, bridgeKills * PER_BRIDGE_KILL_S);
    const perSecond = Math.min(2_000, Math.max(200, envelopes / seconds));
    this.#pace = Math.ceil(perSecond / ENVELOPES_PER_CALL);
  }

  async toItsEnd(): Promise<readonly Row[]> {
    const stage = this.#stage;
    stage.watch(() => this.#look());
    await stage.until("the agents are ready", () => stage.areAgentsReady);
    await this.#killAll();
    this.#doing = "waiting for the bridge";
    const failed = [...(await stage.stopAgents())];
    await stage.carried();
    failed.push(...(await stage.stopBridges()));
    this.#doing = "checking";
    await stage.truth.update();
    const rows = await checkTrail(stage.world, stage.truth, stage.signal);
    return [...rows, ...this.#ownRows(failed)];
  }

  get #answered(): number {
    return this.#stage.truth.envelopes;
  }

  /** Shows how it stands, and holds the agents back when the plan cannot keep up. */
  #look(): void {
    const isAhead = this.#answered > Math.min(...this.#due.values()) + AHEAD_MAX;
    this.#stage.callers.pace = isAhead ? 0 : this.#pace;
    const envelopes = this.#answered;
    this.#onProgress({ doing: this.#doing, envelopes, kills: { ...this.#kills } });
  }

  async #killAll(): Promise<void> {
    const lanes = Object.values(planOf(this.#options)).map((kills) => this.#killInTurn(kills));
    await Promise.all(lanes);
    const isDone = () => this.#answered >= this.#options.envelopes;
    await this.#stage.until("all envelopes are answered", isDone, Infinity);
  }

  async #killInTurn(kills: readonly Kill[]): Promise<void> {
    for (const kill of kills) {
      const { victim, at } = kill;
      this.#due.set(victim, at);
      await this.#stage.until(`${at} answers`, () => this.#answered >= at, Infinity);
      const startedMs = systemClock.nowMs();
      await this.#perform(kill);
      this.#kills[victim]++;
      const tookMs = systemClock.nowMs() - startedMs;
      this.#longestMs.set(victim, Math.max(tookMs, this.#longestMs.get(victim) ?? 0));
      this.#due.set(victim, Infinity);
    }
  }

  /** Kills, and waits until what was killed is at work again. */
  async #perform(kill: Kill): Promise<void> {
    const { kafka, nats } = this.#stage.world;
    switch (kill.victim) {
      case "bridge":
        return this.#killBridge(kill);
      case "agent":
        return this.#killAgent(kill);
      case "nats":
        await systemClock.sleep(kill.delayMs);
        await nats.kill9();
        await nats.restart();
        return this.#stage.until("agents are answered again", this.#moreAnswers());
      case "kafka":
        await systemClock.sleep(kill.delayMs);
        await kafka.kill9();
        await kafka.restart();
        return this.#stage.until("the bridge carries again", this.#moreLedger());
    }
  }

  /** One that carries is killed where it has much to carry: soon after it began. */
  async #killBridge({ delayMs, choice }: Kill): Promise<void> {
    await this.#stage.until("a bridge carries", () => this.#stage.bridges.carrying !== undefined);
    await systemClock.sleep(delayMs);
    if (this.#options.bridges === 2 && choice >= 1 - PAUSED_SHARE) await this.#pauseBridge();
    const { starts } = this.#stage.bridges;
    const standby = this.#stage.bridges.children.find(
      (child) => child !== this.#stage.bridges.carrying,
    );
    const isStandby = standby !== undefined && choice < STANDBY_SHARE;
    const victim = isStandby
      ? standby
      : (this.#stage.bridges.carrying ?? this.#stage.bridges.children[0]);
    await victim?.kill9();
    if (!isStandby)
      await this.#stage.until("another carries", () => this.#stage.bridges.starts > starts);
  }

  /** One that stands still for longer than its lease wakes up believing that it carries. */
  async #pauseBridge(): Promise<void> {
    const { carrying, starts } = this.#stage.bridges;
    if (!carrying) return;
    carrying.pause();
    await this.#stage.until("another carries", () => this.#stage.bridges.starts > starts);
    carrying.goOn();
    this.#pauses++;
  }

  async #killAgent({ choice }: Kill): Promise<void> {
    const all = [...this.#stage.callers.children, ...this.#stage.servers.children];
    await all[Math.floor(choice * all.length)]?.kill9();
    await this.#copyPacks(choice);
    await this.#stage.until("it is back", () => this.#stage.areAgentsReady);
  }

  /** Stores packs of the stream again, as a sender would after the window of JetStream's own check. */
  async #copyPacks(choice: number): Promise<void> {
    const copied = async (): Promise<boolean> => {
      const access = await this.#stage.world.access();
      try {
        const { state } = await access.jsm.streams.info("AUDIT");
        for (let copy = 0; copy < COPIES; copy++) {
          const seq = 1 + Math.floor(((choice * (copy + 7)) % 1) * state.last_seq);
          const message = await access.jsm.streams.getMessage("AUDIT", { seq });
          if (!message) continue;
          const headers = makeHeaders();
          headers.set(PACK_HEADER, message.header.get(PACK_HEADER));
          await access.js.publish(message.subject, message.data, { headers });
          this.#copies++;
        }
        return true;
      } finally {
        await access.close();
      }
    };
    // nats-server may be away at this moment.
    await this.#stage.until("packs are copied", () => copied().catch(() => false));
  }

  #moreAnswers(): () => boolean {
    const before = this.#answered;
    return () => this.#answered > before;
  }

  #moreLedger(): () => Promise<boolean> {
    const reader = new KafkaReader({ client: this.#stage.world.client, patienceMs: 5_000 });
    let before: number | undefined;
    return async () => {
      const { signal } = this.#stage;
      const nextSeq = (await lastLedger(reader, signal).catch(() => undefined))?.nextSeq;
      before ??= nextSeq;
      const isBack = nextSeq !== undefined && before !== undefined && nextSeq > before;
      if (isBack) await reader.close();
      return isBack;
    };
  }

  #ownRows(failed: readonly string[]): Row[] {
    const { bridge, nats, kafka, agent } = this.#kills;
    const longest = [...this.#longestMs].map(
      ([victim, ms]) => `${victim} ${(ms / 1_000).toFixed(1)} s`,
    );
    const { surprises, starts, restarts } = this.#stage.bridges;
    const agents = [...this.#stage.callers.surprises, ...this.#stage.servers.surprises];
    const killed = `bridge ${bridge}, nats-server ${nats}, Kafka ${kafka}, agents ${agent}`;
    const sessions = `${count(starts)} times; ${count(restarts)} attempts ended in an error`;
    const ended = [...surprises, ...agents];
    return [
      figure("killed -9", killed),
      figure("bridges held until another took over", this.#pauses),
      figure("packs stored twice on purpose", this.#copies),
      figure("longest way back", longest.join(", ")),
      figure("bridges began to carry", sessions),
      figure("ended because nats-server was away", ended.filter(isForNats).length),
      promise(
        "ended for another reason",
        ended.filter((said) => !isForNats(said)),
      ),
      promise("did not end in order", failed),
    ];
  }
}

/** Whoever starts without a nats-server ends at once, and is started again. */
function isForNats(said: string): boolean {
  return /nats|ECONNREFUSED|TimeoutError|timeout/i.test(said);
}
