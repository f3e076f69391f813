/** Processes that tell incidents over one bucket, and may die at any of their operations; for tests. */
import type { KV } from "@nats-io/kv";
import { plainWords } from "../../../agents/explain/plain.ts";
import { IncidentDesk } from "../../../agents/incidents/desk.ts";
import { IncidentMemory } from "../../../agents/incidents/memory.ts";
import { IncidentStore } from "../../../agents/incidents/store.ts";
import { Teller } from "../../../agents/incidents/teller.ts";
import type { Verdict } from "../../../agents/mod.ts";
import type { AlarmSink, Notice } from "../../../alarms/mod.ts";
import { newId, silentLogger, systemClock } from "../../../core/mod.ts";
import { until } from "../../support/until.ts";
import { RULES } from "../sre-fixtures.ts";
import { MINUTE_MS } from "../verdict-fixtures.ts";

/** A process that dies at its `diesAt`-th operation, before it or after it is done. */
export class Mortal {
  #left: number;
  readonly #isDoneFirst: boolean;

  constructor(diesAt = Number.POSITIVE_INFINITY, isDoneFirst = false) {
    this.#left = diesAt;
    this.#isDoneFirst = isDoneFirst;
  }

  get isDead(): boolean {
    return this.#left <= 0;
  }

  async do<T>(work: () => Promise<T>): Promise<T> {
    if (this.isDead) return new Promise<T>(() => {});
    this.#left--;
    if (!this.isDead) return work();
    if (this.#isDoneFirst) await work().catch(() => {});
    return new Promise<T>(() => {});
  }
}

/** Receivers that outlive processes: one that drops what it has by id, and one that does not. */
export class Receivers {
  readonly keyed = new Map<string, Notice>();
  readonly plain: Notice[] = [];

  sinks(process: Mortal): AlarmSink[] {
    const common = { minSeverity: "info", timeoutMs: 5_000 } as const;
    return [
      {
        ...common,
        name: "keyed",
        isIdempotent: true,
        send: (notice) => process.do(async () => void this.keyed.set(notice.id, notice)),
      },
      {
        ...common,
        name: "plain",
        isIdempotent: false,
        send: (notice) => process.do(async () => void this.plain.push(notice)),
      },
    ];
  }
}

export interface Party {
  readonly desk: IncidentDesk;
  readonly store: IncidentStore;
  readonly teller: Teller;
  readonly explained: string[];
}

export interface PartyOptions {
  readonly kv: KV;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly words: Map<string, number>;
  readonly sinks: readonly AlarmSink[];
  readonly events: Map<string, number>;
  readonly process?: Mortal;
  readonly owner?: string;
  readonly isGone?: (owner: string) => boolean;
  readonly onTold?: () => void;
}

export function partyOf(options: PartyOptions): Party {
  const { verdicts, sinks, process = new Mortal(), owner = newId(), isGone = () => true } = options;
  const kv = mortal(options.kv, process);
  const common = { clock: systemClock, log: silentLogger, owner };
  const store = new IncidentStore({ kv, ...common });
  const explained: string[] = [];
  const teller = new Teller({
    store,
    memory: new IncidentMemory(),
    sinks,
    retryForMs: MINUTE_MS,
    verdict: async (id) => verdicts.get(id),
    explain: (verdict) =>
      process.do(async () => {
        explained.push(verdict.id);
        return plainWords(verdict);
      }),
    event: (incident, change) =>
      process.do(async () => {
        const id = `${incident.id}.${change.seq}`;
        options.events.set(id, (options.events.get(id) ?? 0) + 1);
        return "task-1";
      }),
    audit: () => process.do(async () => {}),
    onTold: options.onTold ?? (() => {}),
    ...common,
  });
  const desk = new IncidentDesk({
    store,
    teller,
    rules: { ...RULES, resolveAfterWindows: 1 },
    maintenance: [],
    isGone,
    ...common,
  });
  return { desk, store, teller, explained };
}

/** A bucket seen by a process that may die. */
function mortal(kv: KV, process: Mortal): KV {
  return new Proxy(kv, {
    get(target, name, receiver) {
      const found: unknown = Reflect.get(target, name, receiver);
      if (typeof found !== "function") return found;
      return (...args: unknown[]) => process.do(async () => found.apply(target, args));
    },
  });
}

/** Waits until nothing is left to do; whoever lives looks after it as the SRE agent does. */
export async function allDone({ desk, store }: Party): Promise<void> {
  await until("all is told", async () => {
    await desk.resume();
    return (await store.book()).heads.every(({ pending }) => pending.length === 0);
  });
}
