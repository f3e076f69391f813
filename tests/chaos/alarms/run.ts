/**
 * Alarms under kill -9: an SRE agent investigates a window and is killed between its verdict and the last
 * delivery; another finishes. Every sink must have been told, once or under the same id.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { KV } from "@nats-io/kv";
import { z } from "zod";
import type { Mesh } from "../../../a2a/mod.ts";
import { PetrelError, systemClock } from "../../../core/mod.ts";
import { Child } from "../child.ts";
import { check, type Outcome } from "./check.ts";
import { HOST, type HostSettings } from "./host.ts";
import { criticalOf, type Plan, windowsOf } from "./plan.ts";
import { openReceivers, type Receivers } from "./receivers.ts";
import { BookView, watchSteps } from "./steps.ts";
import { type Struck, Trigger } from "./trigger.ts";

/** How one run went. */
export interface RunReport extends Outcome {
  readonly plan: Plan;
  readonly killedAt: Struck;
  readonly kills: number;
  /** From the first kill until all was done. */
  readonly recoveredMs: number;
}

const READY_MS_MAX = 30_000;
const DONE_MS_MAX = 60_000;
const LOOK_EVERY_MS = 50;
const Investigation = z.looseObject({ state: z.string() });

interface Host {
  readonly child: Child;
  readonly ready: Promise<void>;
}

interface Place {
  readonly mesh: Mesh;
  readonly incidents: KV;
  readonly investigations: KV;
  readonly nats: string;
  readonly dir: string;
}

/** One run. Call {@link go} once, and {@link end} after it, however it went. */
export class Run {
  readonly #plan: Plan;
  readonly #place: Place;
  readonly #hosts: Host[] = [];
  readonly #receivers: Receivers;
  readonly #steps: { stop(): void };
  readonly #trigger: Trigger;
  #kills = 0;

  constructor(plan: Plan, place: Place) {
    this.#plan = plan;
    this.#place = place;
    this.#trigger = new Trigger(plan, () => this.#kill(this.#hosts[0]));
    const at = (sink: string, step: "arrived" | "answered") =>
      sink === plan.sink ? this.#trigger.step(step) : undefined;
    this.#receivers = openReceivers({
      troubles: plan.troubles,
      file: this.#file("jsonl"),
      onArrived: (sink) => at(sink, "arrived"),
      onAnswered: (sink) => void at(sink, "answered"),
    });
    this.#steps = watchSteps(place.mesh.nc, (step) => void this.#trigger.step(step));
  }

  async go(): Promise<RunReport> {
    const plan = this.#plan;
    const victim = await this.#start();
    const standby = plan.isStandby ? await this.#start() : undefined;
    const critical = criticalOf(plan);
    for (let nth = 0; nth < critical; nth++) await this.#investigated(nth, [victim]);
    this.#trigger.arm();
    victim.child.tell(`investigate ${critical}`);
    const killedAt = await this.#struck(critical);
    const sinceMs = systemClock.nowMs();
    const next = standby ?? (await this.#start());
    if (plan.killAgainMs !== undefined) {
      // The third begins before the second ends: somebody is there.
      void this.#start().catch(() => {});
      void this.#killLater(next, plan.killAgainMs);
    }
    if (plan.sequel !== "nothing") await this.#sequel();
    const last = windowsOf(plan).length - 1;
    await this.#until("all is done", () => this.#isDone(last));
    const recoveredMs = systemClock.nowMs() - sinceMs;
    const { mesh, incidents } = this.#place;
    const outcome = await check(plan, { mesh, incidents, receivers: this.#receivers, agent: HOST });
    return { plan, killedAt, kills: this.#kills, recoveredMs, ...outcome };
  }

  /** Waits for the kill, which comes in any case: at the latest when there is nothing left to do. */
  async #struck(critical: number): Promise<Struck> {
    let isOver = false;
    const struck = this.#trigger.struck.finally(() => {
      isOver = true;
    });
    await this.#until("the victim is killed", async () => {
      if (!isOver && (await this.#isDone(critical))) await this.#trigger.finished();
      return isOver;
    });
    return struck;
  }

  async end(): Promise<void> {
    this.#steps.stop();
    await Promise.all(this.#hosts.map(({ child }) => child.kill9()));
    await this.#receivers[Symbol.asyncDispose]();
    await rm(this.#file("jsonl"), { force: true });
  }

  async #kill(host: Host | undefined): Promise<void> {
    if (!host || host.child.isKilled) return;
    this.#kills++;
    await host.child.kill9();
  }

  async #killLater(host: Host, ms: number): Promise<void> {
    await systemClock.sleep(ms);
    await this.#kill(host);
  }

  /** The victim says how far it is. */
  #heard(line: string): void {
    if (line === `verdict ${criticalOf(this.#plan)}`) void this.#trigger.step("time");
  }

  async #start(): Promise<Host> {
    const { nats, dir } = this.#place;
    const settings: HostSettings = {
      nats,
      outboxDir: dir,
      ...this.#receivers.urls,
      jsonl: this.#file("jsonl"),
    };
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    const isVictim = this.#hosts.length === 0;
    const child = new Child({
      command: [process.execPath, join(import.meta.dir, "host.ts"), JSON.stringify(settings)],
      logFile: this.#file("log"),
      onLine: (line) => {
        if (line === "ready") resolve();
        if (isVictim) this.#heard(line);
      },
    });
    const host = { child, ready };
    this.#hosts.push(host);
    await this.#started(ready);
    return host;
  }

  /** What follows, as soon as the incident is in the book, by whoever lives. */
  async #sequel(): Promise<void> {
    const isThere = async () => (await this.#book()) !== undefined;
    await this.#until("the incident is in the book", isThere);
    for (const nth of windowsOf(this.#plan).keys()) {
      if (nth > 0) await this.#investigated(nth, this.#hosts);
    }
  }

  async #investigated(nth: number, hosts: readonly Host[]): Promise<void> {
    await this.#until(`window ${nth} is done with`, async () => {
      // Whoever was first has it; who died may have died before that.
      for (const { child } of hosts) if (!child.isKilled) child.tell(`investigate ${nth}`);
      return (await this.#stateOf(nth)) === "closed" || this.#isTaken(nth);
    });
  }

  /** Whether the book has heard of the window: whoever is told of it may take longer. */
  async #isTaken(nth: number): Promise<boolean> {
    const taken = (await this.#book())?.["taken"];
    return this.#plan.kind === "rough" && Array.isArray(taken) && taken.includes(`w${nth}`);
  }

  /** Nothing pending in the book, every investigation up to `last` closed. */
  async #isDone(last: number): Promise<boolean> {
    const book = await this.#book();
    for (let nth = 0; nth <= last; nth++) {
      if ((await this.#stateOf(nth)) !== "closed") return false;
    }
    return book !== undefined && book.heads.every(({ pending }) => pending.length === 0);
  }

  async #book() {
    const entry = await this.#place.incidents.get("book");
    return entry === null ? undefined : BookView.parse(entry.json());
  }

  async #stateOf(nth: number): Promise<string | undefined> {
    const entry = await this.#place.investigations.get(`task.w${nth}`);
    return entry === null ? undefined : Investigation.parse(entry.json()).state;
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const deadlineMs = systemClock.nowMs() + DONE_MS_MAX;
    while (!(await isSo())) {
      if (systemClock.nowMs() > deadlineMs) throw this.#late(`never: ${what}`);
      await systemClock.sleep(LOOK_EVERY_MS);
    }
  }

  async #started(work: Promise<void>): Promise<void> {
    const late = new AbortController();
    const timer = systemClock.sleep(READY_MS_MAX, late.signal).then(
      () => Promise.reject(this.#late("a host does not start")),
      () => work,
    );
    await Promise.race([work, timer]).finally(() => late.abort());
  }

  #late(what: string): PetrelError {
    const { nth } = this.#plan;
    const text = `run ${nth}: ${what}; the log is ${this.#file("log")}`;
    return new PetrelError("DEADLINE_EXCEEDED", text, { run: nth });
  }

  #file(kind: string): string {
    return join(this.#place.dir, `run-${this.#plan.nth}.${kind}`);
  }
}
