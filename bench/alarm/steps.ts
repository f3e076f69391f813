/**
 * When each step of an investigation was done, seen from outside: what the SRE agent tells its watchers,
 * what it writes, and when the sink is called. Changes nothing of what it watches.
 */
import type { KV } from "@nats-io/kv";
import type { SreEvent } from "../../agents/mod.ts";
import type { AlarmSink, Notice } from "../../alarms/mod.ts";
import { PetrelError } from "../../core/mod.ts";

export const STEPS = [
  "logs read",
  "metrics read",
  "joined and ranked",
  "incident decided",
  "recorded",
  "A2A event",
  "delivered",
] as const;
export type Step = (typeof STEPS)[number];

/** Milliseconds of each step of one window, and from the trigger to the sink. */
export interface Timed {
  readonly steps: Readonly<Record<Step, number>>;
  readonly alarmMs: number;
  readonly service: string;
}

export class Stopwatch {
  readonly #marks = new Map<string, number>();
  readonly #opened: { readonly notice: Notice; readonly atMs: number }[] = [];

  /** Forgets what was; the window begins now. */
  start(): void {
    this.#marks.clear();
    this.#opened.length = 0;
    this.#mark("start");
  }

  /** The first time of each counts. */
  #mark(name: string): void {
    if (!this.#marks.has(name)) this.#marks.set(name, performance.now());
  }

  #at(name: string): number {
    const found = this.#marks.get(name);
    if (found !== undefined) return found;
    throw new PetrelError("INTERNAL", `alarm: a window never came to "${name}"`, { step: name });
  }

  readonly onEvent = (event: SreEvent): void => {
    if (event.type === "source") this.#mark(`source ${event.agent}`);
    if (event.type === "verdict") this.#mark("verdict");
  };

  readonly sink: AlarmSink = {
    name: "bench",
    minSeverity: "info",
    isIdempotent: true,
    timeoutMs: 1_000,
    send: async (notice) => {
      if (notice.change !== "opened") return;
      this.#opened.push({ notice, atMs: performance.now() });
    },
  };

  /** The bucket, with the time of each write on record. */
  watched(kv: KV): KV {
    const done = (key: string, value: unknown) => {
      this.#mark(key);
      if (String(value).includes('"taskId":')) this.#mark(`${key} event`);
    };
    const timed =
      (write: "create" | "update") =>
      async (key: string, ...rest: [never, never]) => {
        const revision = await kv[write](key, ...rest);
        done(key, rest[0]);
        return revision;
      };
    return new Proxy(kv, {
      get: (target, name) => {
        if (name === "create" || name === "update") return timed(name);
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  /** Of the window since {@link start}. Throws INTERNAL unless it opened one incident. */
  timed(): Timed {
    const [opened, ...others] = this.#opened;
    if (!opened || others.length > 0) {
      throw new PetrelError("INTERNAL", `alarm: ${this.#opened.length} incidents of one window`);
    }
    const { notice, atMs } = opened;
    const startMs = this.#at("start");
    const [logsMs, metricsMs] = [this.#at("source splunk"), this.#at("source metrics")];
    const [verdictMs, bookMs] = [this.#at("verdict"), this.#at("book")];
    const recordMs = this.#at(`inc.${notice.incident}`);
    return {
      steps: {
        "logs read": logsMs - startMs,
        "metrics read": metricsMs - startMs,
        "joined and ranked": verdictMs - Math.max(logsMs, metricsMs),
        "incident decided": bookMs - verdictMs,
        recorded: recordMs - bookMs,
        "A2A event": this.#at(`inc.${notice.incident} event`) - recordMs,
        delivered: atMs - recordMs,
      },
      alarmMs: atMs - startMs,
      service: notice.service,
    };
  }
}
