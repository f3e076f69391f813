/** `petrel demo`: recorded faults, found by the agents, with everything started and stopped for you. */
import type { Verdict } from "../../agents/mod.ts";
import {
  type Config,
  llmEnvironment,
  PetrelError,
  systemClock,
  unlessAborted,
  type Window,
} from "../../core/mod.ts";
import { makeLlm } from "../../mcp/mod.ts";
import {
  loadTrainTicket,
  paymentScenario,
  type RecordedWindow,
  type Recording,
  startLlmSim,
} from "../../sim/mod.ts";
import { readArgs } from "../args.ts";
import type { ServedBridge } from "../bridge.ts";
import { type DemoTrail, startTrail } from "../demo/trail.ts";
import { DEMO_WINDOWS } from "../demo/windows.ts";
import { commandLogger, makeOutput, type Output } from "../output.ts";
import { colour, count, seconds } from "../render/text.ts";
import { untilStopped } from "../signals.ts";
import { startTeam, type Team } from "../team.ts";
import { startWorld, toolsDir, type World } from "../world.ts";

const OPTIONS = {
  json: { type: "boolean" },
  stay: { type: "boolean" },
  llm: { type: "boolean" },
  kafka: { type: "boolean" },
} as const;

/** With --stay, NATS listens where the other commands look by default. */
const STAY_PORT = 4222;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const output = makeOutput(values.json ?? false);
  const startedMs = systemClock.nowMs();
  await using stack = new AsyncDisposableStack();
  const fetching = {
    toolsDir: toolsDir(),
    onProgress: (_kind: string, text: string) => void process.stderr.write(`${text}\n`),
    signal,
  };
  const recordings = [await loadTrainTicket(), paymentScenario()];
  const port = values.stay ? { port: STAY_PORT } : {};
  const world = await startWorld({ ...fetching, recordings, ...port });
  stack.defer(() => world.stop());
  const trail = values.kafka
    ? await startTrail({ ...fetching, dir: world.dir, base: world.config })
    : undefined;
  if (trail) stack.defer(() => trail.stop());
  const bridge = await carryOf(trail, stack);
  const llm = values.llm ? standInLlm(stack) : undefined;
  const config: Config = {
    ...(trail?.config ?? world.config),
    llm: { ...world.config.llm, enabled: llmEnvironment() !== undefined },
  };
  const team = await startTeam(config, commandLogger("error"), {
    evidence: ["splunk", "metrics"],
    onEvent: output.onEvent,
    ...(llm ? { llm } : {}),
  });
  stack.defer(() => team.stop());
  output.line(headline(world, team, trail));
  const results = await investigateAll(recordings, team, signal);
  const isNamed = await summarise(results, team, output, startedMs, signal);
  const isProven = trail && bridge ? await trail.show(bridge, output, signal) : true;
  const ok = isNamed && isProven;
  if (values.stay) await stay(world, trail, output, signal);
  else
    output.line(
      "try: petrel demo --stay, and in another terminal: petrel incidents · petrel agents · petrel audit tail",
    );
  return ok ? 0 : 1;
}

/** The bridge of the trail, if there is one; it stops before what it reads and writes does. */
async function carryOf(
  trail: DemoTrail | undefined,
  stack: AsyncDisposableStack,
): Promise<ServedBridge | undefined> {
  if (!trail) return undefined;
  const stop = new AbortController();
  const bridge = await trail.carry(stop.signal);
  stack.defer(async () => {
    stop.abort();
    await bridge.done;
  });
  return bridge;
}

interface Result {
  readonly recorded: RecordedWindow;
  readonly verdict: Verdict;
}

async function investigateAll(
  recordings: readonly Recording[],
  team: Team,
  signal: AbortSignal,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const recorded of windowsOf(recordings)) {
    const baseline = baselineOf(recorded);
    const verdict = await unlessAborted(
      team.sre.investigate(recorded.window, { baseline }),
      signal,
    );
    if (!verdict) throw new PetrelError("INTERNAL", `window ${recorded.id} was taken by nobody`);
    results.push({ recorded, verdict });
  }
  return results;
}

function windowsOf(recordings: readonly Recording[]): RecordedWindow[] {
  const all = recordings.flatMap((recording) => recording.windows);
  return DEMO_WINDOWS.flatMap((id) => all.find((window) => window.id === id) ?? []);
}

/** The fault-free logs of the same day. */
function baselineOf(recorded: RecordedWindow): Window[] {
  const last = recorded.logBaselines.at(-1);
  return last ? [last] : [];
}

/** The last lines, and whether every fault was named, the quiet windows were quiet, and none was lost. */
async function summarise(
  results: readonly Result[],
  team: Team,
  output: Output,
  startedMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const tally = await team.tally(signal);
  const verdicts = results.map(({ verdict }) => verdict);
  const of = (outcome: Verdict["outcome"]) =>
    verdicts.filter((verdict) => verdict.outcome === outcome).length;
  const wrong = results.filter((result) => !isRight(result));
  const { calls, tokens } = output.llm();
  output.line("");
  output.line(
    [
      `${results.length} windows`,
      `${of("incident")} incidents`,
      `${of("quiet")} quiet`,
      ...(of("inconclusive") > 0 ? [`${of("inconclusive")} inconclusive`] : []),
      `${count(tally.envelopes)} envelopes audited, ${count(tally.halfReported)} missing`,
      `${calls} LLM calls${tokens > 0 ? `, ${count(tokens)} tokens` : ""}`,
      seconds(systemClock.nowMs() - startedMs),
    ].join(" · "),
  );
  for (const { recorded, verdict } of wrong) {
    const named = verdict.rootCause?.service ?? verdict.outcome;
    output.line(
      colour(
        "red",
        `wrong: ${recorded.id} is ${recorded.service ?? "quiet"}, the verdict says ${named}`,
      ),
    );
  }
  output.result(verdicts, tally.envelopes);
  return wrong.length === 0 && tally.halfReported === 0 && tally.malformedPacks === 0;
}

function isRight({ recorded, verdict }: Result): boolean {
  if (recorded.service === undefined) return verdict.outcome === "quiet";
  return verdict.outcome === "incident" && verdict.rootCause?.service === recorded.service;
}

function headline(world: World, team: Team, trail: DemoTrail | undefined): string {
  const { nats, prometheus } = world.versions;
  const kafka = trail ? ` · Kafka ${trail.versions.kafka}` : "";
  const llm = team.llm === undefined ? "no LLM configured" : `LLM ${team.llm}`;
  return `${colour("bold", "petrel demo")}   Train-Ticket, recorded 2023-01-29/30 · nats-server ${nats} · prometheus ${prometheus}${kafka} · ${llm}\n`;
}

/** A stand-in that answers in the schema it is given: shows the LLM's path without a key. */
function standInLlm(stack: AsyncDisposableStack) {
  const sim = startLlmSim({ apiKey: "demo" });
  stack.use(sim);
  return makeLlm({ openaiApiKey: "demo", openaiBaseUrl: `${sim.url}/v1`, openaiModel: "stand-in" });
}

/** Keeps the world up, and says how to look at it. */
async function stay(
  world: World,
  trail: DemoTrail | undefined,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { splunk, prometheus, grafana } = world.config;
  output.line(`
staying until Ctrl-C
  NATS        ${world.natsUrl}
  Prometheus  ${prometheus?.url}
  Splunk      ${splunk?.url}   (stand-in, SPLUNK_TOKEN=${splunk?.token})
  Grafana     ${grafana?.url}   (stand-in, GRAFANA_TOKEN=${grafana?.token})
${trailWords(trail)}try: petrel incidents · petrel agents · petrel audit tail · nats micro ls · nats kv ls PETREL_INVESTIGATIONS`);
  await untilStopped(signal);
}

function trailWords(trail: DemoTrail | undefined): string {
  if (!trail) return "";
  const brokers = trail.config.kafka?.brokers.join(",") ?? "";
  return `  Kafka       ${brokers}   (topics ${trail.config.bridge.topics.prefix}.*)
  commands    export PETREL_CONFIG=${trail.configFile}, then petrel audit show, replay, verify, gaps
`;
}
