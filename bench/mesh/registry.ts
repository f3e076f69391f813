/**
 * `registry`: with 1,000 agents registered, how long a registration takes until the server has it, until
 * another process finds it by its skill, and how long finding takes. Three processes and a real
 * nats-server, all fresh for each run.
 */
import { z } from "zod";
import { type AgentDefinition, Mesh } from "../../a2a/mod.ts";
import { newId, silentLogger } from "../../core/mod.ts";
import { startChild } from "../child.ts";
import { type Figure, figuresOf, percentile } from "../figure.ts";
import { startNats } from "../nats.ts";
import { type BenchContext, checkWork, Run, runRounds } from "../run.ts";
import { answer, readTask, untilReleased } from "../worker.ts";

/** Agents that are there, and how many more are registered and looked for. */
const SIZE = { crowd: 1_000, samples: 300 };
type Size = typeof SIZE;

const START_TIMEOUT_MS = 60_000;
const RUN_TIMEOUT_MS = 120_000;

const Task = z.object({
  url: z.string(),
  part: z.enum(["crowd", "measure"]),
  size: z.object({ crowd: z.number(), samples: z.number() }),
});
const Ready = z.object({ ready: z.literal(true) });

const METRICS = [
  { name: "stored p50", unit: "ms" },
  { name: "stored p99", unit: "ms" },
  { name: "found p50", unit: "ms" },
  { name: "found p99", unit: "ms" },
  { name: "find p50", unit: "ms" },
  { name: "find p99", unit: "ms" },
] as const;

export async function benchRegistry(context: BenchContext, size: Size = SIZE): Promise<Figure[]> {
  const { petrel } = await runRounds("registry", { petrel: () => runOnce(context, size) }, context);
  return figuresOf("registry", METRICS, petrel);
}

async function runOnce(context: BenchContext, size: Size): Promise<Run> {
  const { signal } = context;
  await using nats = await startNats(context);
  const { url } = nats;
  await using others = startChild("mesh/registry.ts", { url, part: "crowd", size }, signal);
  await others.next(Ready, START_TIMEOUT_MS);
  await using measuring = startChild("mesh/registry.ts", { url, part: "measure", size }, signal);
  const run = await measuring.next(Run, RUN_TIMEOUT_MS);
  checkWork("registry", run, {
    registered: size.samples,
    found: size.samples,
    crowd: size.crowd,
  });
  return run;
}

function agentOf(name: string, skill: string): AgentDefinition {
  return {
    name,
    description: "One of many.",
    version: "1.0.0",
    skills: [{ id: skill, name: skill, description: "Does one thing.", tags: ["bench"] }],
    messageOnly: true,
    run: async () => ({ kind: "message", text: "here" }),
  };
}

function openMesh(url: string, name: string): Promise<Mesh> {
  return Mesh.open({ servers: [url], name, log: silentLogger });
}

/** Agents that are there, and stay. */
async function crowd(url: string, { crowd: count }: Size): Promise<void> {
  const mesh = await openMesh(url, "crowd");
  for (let nth = 0; nth < count; nth++) await mesh.serve(agentOf(`crowd-${nth}`, `skill-${nth}`));
  answer({ ready: true });
  await untilReleased();
  process.exit(0);
}

/** Registers agents one by one, and looks for each from another connection. */
async function measure(url: string, { samples }: Size): Promise<void> {
  const [host, watcher] = await Promise.all([openMesh(url, "host"), openMesh(url, "watcher")]);
  await watcher.registry.ready();
  const known = watcher.registry.find({ tag: "bench" }).length;
  const storedMs: number[] = [];
  const foundMs: number[] = [];
  const findMs: number[] = [];
  const { card } = await host.serve(agentOf("new", "new"));
  const startedAt = new Date().toISOString();
  for (let nth = 0; nth < samples; nth++) {
    const id = `new-${newId()}`;
    const skill = { id, name: id, description: "", tags: ["bench"], examples: [] };
    const replica = {
      agent: `new-${nth}`,
      instance: host.instance,
      host: "bench",
      pid: process.pid,
      startedAt,
      running: 0,
      card: { ...card, skills: card.skills.map((one) => ({ ...one, ...skill })) },
    };
    const startMs = performance.now();
    await host.registry.register(replica);
    storedMs.push(performance.now() - startMs);
    while (watcher.registry.find({ skill: id }).length === 0) await Bun.sleep(0);
    foundMs.push(performance.now() - startMs);
    const lookMs = performance.now();
    watcher.registry.find({ skill: `skill-${nth}`, version: "1.x" });
    findMs.push(performance.now() - lookMs);
    await host.registry.deregister(replica);
  }
  const cost = {
    "stored p50": percentile(storedMs, 0.5),
    "stored p99": percentile(storedMs, 0.99),
    "found p50": percentile(foundMs, 0.5),
    "found p99": percentile(foundMs, 0.99),
    "find p50": percentile(findMs, 0.5),
    "find p99": percentile(findMs, 0.99),
  };
  answer({ work: { registered: samples, found: foundMs.length, crowd: known }, cost });
  await Promise.all([host.close(), watcher.close()]);
}

if (import.meta.main) {
  const { url, part, size } = readTask(Task);
  await (part === "crowd" ? crowd(url, size) : measure(url, size));
}
