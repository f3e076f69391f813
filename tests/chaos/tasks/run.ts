/**
 * The promises of durable tasks under faults: while a task streams, its replica is killed, the server is
 * killed and started again, or its client goes on elsewhere. The client must see what the log has: every
 * event, once, in order; and no task may stay at work.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ListTasksRequest,
  StreamResponse,
  SubscribeToTaskRequest,
  type Task,
  TaskState,
} from "@a2a-js/sdk";
import { callParameters, type Mesh, type NatsTransport } from "../../../a2a/mod.ts";
import { newTrace, PetrelError } from "../../../core/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { saying, textOf } from "../../a2a/tasks/agents.ts";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { type Child, startChild } from "../../support/process.ts";
import { randomOf } from "../plan.ts";

export const FAULTS = ["kill", "nats", "move"] as const;
export type Fault = (typeof FAULTS)[number];

/** How one run went; every broken promise is a sentence. */
export interface RunReport {
  readonly fault: Fault;
  readonly agent: string;
  readonly events: number;
  /** From the fault to the task's end, as the client saw it. */
  readonly recoveredMs: number;
  /** From the fault to another replica's first word on the task; undefined where none had to speak. */
  readonly takenOverMs: number | undefined;
  readonly broken: readonly string[];
}

const REPLICAS = 2;
const TIMEOUT_MS = 60_000;
/** The promise: so long after its replica died a task goes on elsewhere, or has ended. */
const TAKEN_OVER_MS_MAX = 10_000;

/** A server, replicas, and one run after another. */
export class Lane {
  readonly #random: () => number;
  readonly #nats: NatsServer;
  readonly #dir: string;
  readonly #replicas: Child[] = [];

  private constructor(seed: number, nats: NatsServer, dir: string) {
    this.#random = randomOf(seed);
    this.#nats = nats;
    this.#dir = dir;
  }

  static async open(seed: number): Promise<Lane> {
    const lane = new Lane(seed, await startNats(), await mkdtemp(join(tmpdir(), "petrel-tasks-")));
    for (let nth = 0; nth < REPLICAS; nth++) await lane.#start();
    return lane;
  }

  async close(): Promise<void> {
    await Promise.all(this.#replicas.map((replica) => replica.kill9()));
    await this.#nats[Symbol.asyncDispose]();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async run(fault: Fault): Promise<RunReport> {
    const agent = this.#random() < 0.75 ? "scribe" : "clerk";
    const chunks = 20 + this.#below(100);
    const plan = {
      fault,
      agent,
      chunks,
      pauseMs: 2 + this.#below(6),
      after: 1 + this.#below(chunks - 1),
    };
    const client = await openMesh(this.#nats.url, "client", { outboxDir: this.#dir });
    try {
      return await this.#streamed(plan, client);
    } finally {
      await client.close();
    }
  }

  async #streamed(plan: Plan, client: Mesh): Promise<RunReport> {
    const { fault, agent, chunks, pauseMs, after } = plan;
    const transport = client.transport(agent);
    const seen: string[] = [];
    let taskId = "";
    let struck: Promise<void> | undefined;
    let struckMs = 0;
    let struckAt = 0;
    const message = saying(`chunks ${chunks} ${pauseMs}`);
    for await (const event of transport.sendMessageStream(message, options())) {
      if (event.payload?.$case === "task") taskId = event.payload.value.id;
      seen.push(JSON.stringify(StreamResponse.toJSON(event)));
      if (seen.length !== after) continue;
      struckMs = performance.now();
      struckAt = Date.now();
      if (fault === "move") break;
      struck = fault === "kill" ? this.#kill(taskId) : this.#restartNats();
    }
    await struck;
    if (fault === "move") await this.#goOn(agent, taskId, seen);
    const recoveredMs = performance.now() - struckMs;
    const broken = await this.#check(plan, transport, taskId, seen);
    const takenOverMs = fault === "kill" ? takenOver(seen, after, struckAt) : undefined;
    if (takenOverMs !== undefined && takenOverMs > TAKEN_OVER_MS_MAX) {
      broken.push(`the task was taken over after ${takenOverMs} ms`);
    }
    return { fault, agent, events: seen.length, recoveredMs, takenOverMs, broken };
  }

  /** New clients take the stream up, each where the one before stopped. */
  async #goOn(agent: string, taskId: string, seen: string[]): Promise<void> {
    for (let isOver = false; !isOver; ) {
      const client = await openMesh(this.#nats.url, "client", { outboxDir: this.#dir });
      const leaveAt = seen.length + 1 + this.#below(20);
      const request = SubscribeToTaskRequest.fromJSON({ id: taskId });
      const cursor = { "a2a-cursor": String(seen.length) };
      isOver = true;
      for await (const event of client.transport(agent).resubscribeTask(request, options(cursor))) {
        seen.push(JSON.stringify(StreamResponse.toJSON(event)));
        if (seen.length < leaveAt) continue;
        isOver = isEnd(event);
        break;
      }
      await client.close();
    }
  }

  async #check(
    { fault, agent, chunks }: Plan,
    transport: NatsTransport,
    taskId: string,
    seen: readonly string[],
  ): Promise<string[]> {
    const broken: string[] = [];
    const request = SubscribeToTaskRequest.fromJSON({ id: taskId });
    const logged: string[] = [];
    for await (const event of transport.resubscribeTask(request, options({ "a2a-cursor": "0" }))) {
      logged.push(JSON.stringify(StreamResponse.toJSON(event)));
    }
    const differs = logged.findIndex((event, at) => event !== seen[at]);
    if (differs >= 0 || logged.length !== seen.length) {
      broken.push(
        `the client saw ${seen.length} events, the log has ${logged.length}; the first that differs is ${differs + 1}`,
      );
    }
    const task: Task = await transport.getTask({
      tenant: "",
      id: taskId,
      historyLength: undefined,
    });
    const mayFail = fault === "kill" && agent === "clerk";
    const state = task.status?.state;
    const isAsPromised =
      state === TaskState.TASK_STATE_COMPLETED ||
      (mayFail && state === TaskState.TASK_STATE_FAILED);
    if (!isAsPromised) broken.push(`the task ended in state ${state}`);
    const whole = Array.from({ length: chunks }, (_, index) => `${index + 1};`).join("");
    const text = textOf(task, "text");
    if (state === TaskState.TASK_STATE_COMPLETED ? text !== whole : !whole.startsWith(text)) {
      broken.push(`the artifact is not what was written: ${text.slice(0, 60)}`);
    }
    const atWork = await transport.listTasks(
      ListTasksRequest.fromJSON({ status: "TASK_STATE_WORKING" }),
    );
    if (atWork.totalSize > 0) broken.push(`${atWork.totalSize} tasks are still at work`);
    return broken;
  }

  async #kill(taskId: string): Promise<void> {
    const at = this.#replicas.findIndex((replica) => replica.lastLines().includes(taskId));
    const [owner] = at < 0 ? [] : this.#replicas.splice(at, 1);
    if (!owner) throw new PetrelError("INTERNAL", `no replica says that it runs ${taskId}`);
    await owner.kill9();
    await this.#start();
  }

  async #restartNats(): Promise<void> {
    await this.#nats.kill9();
    await this.#nats.restart();
  }

  async #start(): Promise<void> {
    const command = [
      process.execPath,
      join(import.meta.dir, "replica.ts"),
      this.#nats.url,
      this.#dir,
    ];
    this.#replicas.push(await startChild({ command, ready: /^ready$/, timeoutMs: 30_000 }));
  }

  #below(max: number): number {
    return Math.floor(this.#random() * max);
  }
}

interface Plan {
  readonly fault: Fault;
  readonly agent: string;
  readonly chunks: number;
  readonly pauseMs: number;
  /** The fault comes when the client has seen so many events. */
  readonly after: number;
}

function options(more: Readonly<Record<string, string>> = {}) {
  const parameters = callParameters({ timeoutMs: TIMEOUT_MS, trace: newTrace() });
  return { serviceParameters: { ...parameters, ...more } };
}

/** When the first status after the fault was set, unless the task had ended by itself. */
function takenOver(seen: readonly string[], after: number, struckAt: number): number | undefined {
  for (const text of seen.slice(after)) {
    const { payload } = StreamResponse.fromJSON(JSON.parse(text));
    const status = payload?.$case === "statusUpdate" ? payload.value.status : undefined;
    const atMs = Date.parse(status?.timestamp ?? "") - struckAt;
    const said = status?.message?.parts[0]?.content?.value;
    const isTakeOver = typeof said === "string" && said.includes("is gone");
    if (isTakeOver) return atMs;
  }
  return undefined;
}

function isEnd({ payload }: StreamResponse): boolean {
  const state = payload?.$case === "statusUpdate" ? payload.value.status?.state : undefined;
  return state === TaskState.TASK_STATE_COMPLETED || state === TaskState.TASK_STATE_FAILED;
}
