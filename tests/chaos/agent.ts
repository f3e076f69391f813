/**
 * A process of agents that may be killed at any moment. `bun agent.ts caller|server URL DIR SEED
 * SKEW`: a caller calls as fast as it is told to on standard input (`pace <calls a second>`), a server
 * answers; `stop` ends either in order. Its clock is SKEW milliseconds off. What it knows is in its truth
 * log.
 */
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Mesh } from "../../a2a/mod.ts";
import { callParameters, type NatsTransport } from "../../a2a/mod.ts";
import {
  type Clock,
  makeLogger,
  newTrace,
  PetrelError,
  systemClock,
  type TraceContext,
} from "../../core/mod.ts";
import { echo, openMesh, request, worker } from "../a2a/echo.ts";
import { randomOf } from "./plan.ts";
import { openTruthLog, type TruthLog } from "./truth.ts";

/** Calls under way at once. */
const LANES = 32;
const TIMEOUT_MS = 5_000;
/** Tasks that may be asked for again. */
const TASKS_KEPT = 200;
/** Said once the process is at work. */
const READY = "ready";

const TEXTS = [
  "is the payment service well?",
  "pay 12.50 with 4111 1111 1111 1111, confirm to jo@example.com",
  "Überweisung an DE89 3704 0044 0532 0130 00 – warum „abgelehnt“? 🙂",
  `Authorization: Bearer ${"abcdefghijklmnop".repeat(3)}`,
];

interface Place {
  readonly url: string;
  readonly dir: string;
  readonly clock: Clock;
}

interface Agent {
  /** Does what a line of standard input says. */
  told(line: string): void;
  /** Stores what was reported, says goodbye. */
  stop(): Promise<void>;
}

async function server(place: Place, truth: TruthLog): Promise<Agent> {
  const meshes = await Promise.all(
    [echo, worker].map(async (agent) => {
      const mesh = await meshOf(agent.name, place);
      await mesh.serve({
        ...agent,
        run: (turn) => {
          truth.received(turn.trace.traceId);
          return agent.run(turn);
        },
      });
      return mesh;
    }),
  );
  return {
    told: () => {},
    stop: async () => void (await Promise.all(meshes.map((mesh) => mesh.close()))),
  };
}

async function caller(place: Place, truth: TruthLog, seed: number): Promise<Agent> {
  const mesh = await meshOf("sre", place);
  const calls = new Calls(mesh, truth, randomOf(seed));
  const pace = new Pace();
  const lanes = Array.from({ length: LANES }, async () => {
    while (await pace.next()) await calls.one();
  });
  return {
    told: (line) => pace.set(Number(/^pace (\d+)$/.exec(line)?.[1] ?? 0)),
    stop: async () => {
      pace.stop();
      await Promise.all(lanes);
      await mesh.close();
    },
  };
}

/** Of every ten calls six are messages, two make tasks, one streams a task, one asks for a task again. */
class Calls {
  readonly #echo: NatsTransport;
  readonly #worker: NatsTransport;
  readonly #truth: TruthLog;
  readonly #random: () => number;
  readonly #tasks: string[] = [];

  constructor(mesh: Mesh, truth: TruthLog, random: () => number) {
    this.#echo = mesh.transport("echo");
    this.#worker = mesh.transport("worker");
    this.#truth = truth;
    this.#random = random;
  }

  async one(): Promise<void> {
    const trace = newTrace();
    this.#truth.asked(trace.traceId);
    try {
      const startedMs = performance.now();
      const frames = await this.#call(trace);
      this.#truth.answered(trace.traceId, frames, performance.now() - startedMs);
    } catch (error) {
      // Killed servers do not answer: that call proves nothing, and is no failure.
      if (!(error instanceof PetrelError)) throw error;
    }
  }

  /** Frames of the answer; 0 for a single response. */
  async #call(trace: TraceContext): Promise<number> {
    const options = { serviceParameters: callParameters({ timeoutMs: TIMEOUT_MS, trace }) };
    const kind = Math.floor(this.#random() * 10);
    const task = this.#tasks[Math.floor(this.#random() * this.#tasks.length)];
    const text = TEXTS[Math.floor(this.#random() * TEXTS.length)] ?? "";
    if (kind < 6) {
      await this.#echo.sendMessage(request({ at: kind }, { text }), options);
      return 0;
    }
    if (kind === 9 && task !== undefined) {
      await this.#worker.getTask({ tenant: "", id: task, historyLength: undefined }, options);
      return 0;
    }
    const work = request({ steps: 2, artifact: text }, { text });
    if (kind === 8) {
      let frames = 1;
      for await (const _ of this.#worker.sendMessageStream(work, options)) frames++;
      return frames;
    }
    const made = await this.#worker.sendMessage(work, options);
    if ("id" in made) this.#remember(made.id);
    return 0;
  }

  #remember(taskId: string): void {
    this.#tasks.push(taskId);
    if (this.#tasks.length > TASKS_KEPT) this.#tasks.shift();
  }
}

/** Hands out moments: so many a second, over all lanes; none while it is 0. */
class Pace {
  #perSecond = 0;
  #nextMs = 0;
  #isStopped = false;
  #changed = Promise.withResolvers<void>();

  set(perSecond: number): void {
    this.#perSecond = perSecond;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  stop(): void {
    this.#isStopped = true;
    this.set(0);
  }

  /** Resolves when the next call is due; false when there is none any more. */
  async next(): Promise<boolean> {
    while (this.#perSecond === 0 && !this.#isStopped) await this.#changed.promise;
    const nowMs = systemClock.nowMs();
    // What was missed in the last tenth of a second is made up for: timers are coarse.
    const dueMs = Math.max(this.#nextMs, nowMs - 100);
    this.#nextMs = dueMs + 1_000 / Math.max(1, this.#perSecond);
    if (dueMs > nowMs && !this.#isStopped) await systemClock.sleep(dueMs - nowMs);
    return !this.#isStopped;
  }
}

function meshOf(name: string, { url, dir, clock }: Place): Promise<Mesh> {
  const log = makeLogger({ level: "warn", pretty: false });
  return openMesh(url, name, { outboxDir: join(dir, "outbox"), log, clock, cardTtlMs: 15_000 });
}

if (import.meta.main) {
  const [role = "", url = "", dir = "", seed = "0", skewMs = "0"] = process.argv.slice(2);
  const truth = openTruthLog(dir, role);
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + Number(skewMs) };
  const place = { url, dir, clock };
  const agent =
    role === "caller" ? await caller(place, truth, Number(seed)) : await server(place, truth);
  process.stderr.write(`${READY}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "stop") break;
    agent.told(line);
  }
  await agent.stop();
  process.exit(0);
}
