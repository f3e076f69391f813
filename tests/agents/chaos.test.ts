/**
 * Two SRE agents and three of each evidence agent, each a process of its own, two hundred windows at
 * once, and agents killed at random. Every window must get exactly one verdict, from its own replies.
 *
 * The Splunk stand-in gives every minute a number of lines of its own, so a reply that landed in another
 * task would show in the verdict's counts.
 */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kvm } from "@nats-io/kv";
import { connect } from "nats";
import { INVESTIGATIONS_BUCKET, type Verdict } from "../../agents/mod.ts";
import { systemClock } from "../../core/mod.ts";
import { type RowProvider, splunkTime, startSplunkSim } from "../../sim/mod.ts";
import { startNats } from "../support/nats.ts";
import { startPrometheus } from "../support/prometheus.ts";

const WINDOWS = 200;
const MINUTE_MS = 60_000;
const KILLS = 8;
const DEADLINE_MS = 150_000;

/** A linear congruential generator: the same seed kills the same agents. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** How many lines the minute that begins at `startMs` has: different for neighbours, known to the test. */
function linesOf(startMs: number): number {
  return 20 + ((startMs / MINUTE_MS) % 97);
}

const rows: RowProvider = async function* minuteRows({ earliestMs, latestMs }) {
  for (let startMs = earliestMs; startMs < latestMs; startMs += MINUTE_MS) {
    const lines = linesOf(startMs);
    yield Array.from({ length: lines }, (_, line) => {
      const timeMs = startMs + Math.floor((line * MINUTE_MS) / lines);
      const time = new Date(timeMs).toISOString().replace("T", " ").replace("Z", "");
      const _raw = `${time}  INFO 1 --- [svc] [main] c.a.Service : handled request ${line} in 12 ms`;
      return { _time: splunkTime(timeMs), _raw, service: "svc" };
    });
  }
};

function steadyMetrics(nowMs: number): string {
  const lines = ["# TYPE process_cpu_usage gauge"];
  for (let at = nowMs - 5 * 3_600_000; at <= nowMs + MINUTE_MS; at += MINUTE_MS) {
    lines.push(`process_cpu_usage{service="svc",instance="a"} 0.1 ${(at / 1000).toFixed(3)}`);
  }
  return `${lines.join("\n")}\n# EOF\n`;
}

interface Agent {
  readonly role: string;
  child: Bun.Subprocess;
}

test(
  "every window gets exactly one verdict while agents are killed",
  async () => {
    const seed = Number(process.env.PETREL_TEST_SEED ?? 1);
    const random = seeded(seed);
    await using nats = await startNats();
    await using prometheus = await startPrometheus({
      openmetrics: steadyMetrics(systemClock.nowMs()),
    });
    const splunk = startSplunkSim({ rows, tokens: ["t"], searchesMax: 64 });
    const dir = await mkdtemp(join(tmpdir(), "petrel-chaos-"));
    const config = join(dir, "petrel.yaml");
    await Bun.write(
      config,
      `nats: { servers: ["${nats.url}"] }
splunk: { url: "${splunk.url}", token: t }
prometheus: { url: "${prometheus.url}" }
sre: { settle: 1s, timeout: 100s, catch_up_windows: ${WINDOWS}, baseline_windows: 1 }
log: { level: error }
`,
    );
    const start = (role: string): Agent => ({ role, child: spawnAgent(role, config) });
    const agents = [
      ...["splunk", "splunk", "splunk", "metrics", "metrics", "metrics"].map(start),
      ...["sre", "sre"].map(start),
    ];
    const nc = await connect({ servers: nats.url });
    try {
      const kv = await new Kvm(nc).create(INVESTIGATIONS_BUCKET, { history: 1 });
      const keys = async (filter: string) => Array.fromAsync(await kv.keys(filter));
      const until = systemClock.nowMs() + DEADLINE_MS;
      const settled = async (count: number) => {
        while ((await keys("v.*")).length < count) {
          if (systemClock.nowMs() > until)
            throw new Error(`only ${(await keys("v.*")).length} verdicts (seed ${seed})`);
          await systemClock.sleep(100);
        }
      };
      for (let kill = 1; kill <= KILLS; kill++) {
        await settled(Math.floor((kill * WINDOWS) / (KILLS + 2)));
        const victim = agents[Math.floor(random() * agents.length)];
        if (!victim) continue;
        victim.child.kill("SIGKILL");
        await victim.child.exited;
        victim.child = spawnAgent(victim.role, config);
      }
      await settled(WINDOWS);

      const ids = (await keys("v.*")).map((key) => key.slice(2));
      expect(new Set(ids).size).toBe(ids.length);
      for (const id of ids) {
        const verdict = (await kv.get(`v.${id}`))?.json<Verdict>();
        const lines = linesOf(Date.parse(verdict?.window.start ?? ""));
        expect([id, verdict?.outcome, verdict?.sources.splunk?.stats.lines]).toEqual([
          id,
          "quiet",
          lines,
        ]);
      }
      // Every claimed window is settled, and no reply bears the message id of another window's request.
      const tasks = await Promise.all(
        (await keys("task.*")).map(async (key) => (await kv.get(key))?.json<Task>()),
      );
      const asked = new Map(
        tasks.flatMap(
          (task) => task?.sources.map((source) => [source.messageId, task.id] as const) ?? [],
        ),
      );
      for (const key of await keys("r.>")) {
        const [, investigation, , messageId = ""] = key.split(".");
        expect(asked.get(messageId)).toBe(investigation);
      }
    } finally {
      for (const { child } of agents) child.kill("SIGKILL");
      await Promise.all(agents.map(({ child }) => child.exited));
      await nc.close();
      await splunk.stop();
      await rm(dir, { recursive: true, force: true });
    }
  },
  DEADLINE_MS + 60_000,
);

interface Task {
  readonly id: string;
  readonly sources: readonly { readonly messageId: string }[];
}

function spawnAgent(role: string, config: string): Bun.Subprocess {
  const main = join(import.meta.dir, "../../cli/main.ts");
  return Bun.spawn(
    [process.execPath, main, "up", "--role", role, "--every", "1m", "--config", config],
    {
      stdout: "ignore",
      stderr: "inherit",
    },
  );
}
