/** The command as a process: usage and configuration errors, exit codes, and one clear line each. */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MAIN = join(import.meta.dir, "../../cli/main.ts");

async function petrel(
  args: readonly string[],
  options: { config?: string; env?: Record<string, string> } = {},
) {
  const dir = await mkdtemp(join(tmpdir(), "petrel-cli-"));
  if (options.config !== undefined) await Bun.write(join(dir, "petrel.yaml"), options.config);
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: dir,
    env: { PATH: process.env.PATH, ...options.env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([
    child.exited,
    child.stdout.text(),
    child.stderr.text(),
  ]);
  await rm(dir, { recursive: true, force: true });
  return { code, out, err };
}

const SYSTEMS = "splunk: { url: 'http://127.0.0.1:1', token: t }\n";
const WINDOW = ["investigate", "--from", "2026-01-29T08:40:00Z", "--to", "2026-01-29T08:45:00Z"];

test.each<[string, string[], string | undefined, number, RegExp]>([
  ["an unknown command", ["fly"], undefined, 2, /no command "fly"/],
  ["an unknown option", ["agents", "--wings"], undefined, 2, /--wings/],
  ["a command that is not built yet", ["tasks"], undefined, 2, /not built yet/],
  ["a bridge without Kafka", ["up", "--role", "bridge"], SYSTEMS, 2, /kafka is not configured/],
  ["an unknown role", ["up", "--role", "pilot"], SYSTEMS, 2, /pilot/],
  [
    "a window without an end",
    ["investigate", "--from", "2026-01-29T08:40:00Z"],
    SYSTEMS,
    2,
    /both ends/,
  ],
  [
    "a time without a zone",
    [...WINDOW.slice(0, 2), "2026-01-29T08:40:00", "--to", "x"],
    SYSTEMS,
    2,
    /zone/,
  ],
  ["a bad duration", ["watch", "--every", "soon"], SYSTEMS, 2, /--every/],
  ["an unknown key", ["agents"], "splonk: {}", 2, /splonk: unknown key/],
  ["a bad URL", ["agents"], "prometheus: { url: 'not a url' }", 2, /prometheus\.url/],
  [
    "a threshold of the wrong type",
    ["agents"],
    "rules: { defaults: { http_500_count_max: many } }",
    2,
    /rules\.defaults\.http_500_count_max/,
  ],
  ["nothing configured", WINDOW, "nats: {}", 2, /neither splunk nor prometheus/],
  [
    "a NATS that is not there",
    ["agents", "--nats", "nats://127.0.0.1:1"],
    undefined,
    4,
    /no server answers at nats:\/\/127\.0\.0\.1:1/,
  ],
])("%s: one clear line and its exit code", async (_what, args, config, code, words) => {
  const result = await petrel(args, config === undefined ? {} : { config });
  expect(result.err).toMatch(words);
  expect([result.code, result.out]).toEqual([code, ""]);
  expect(result.err.trim().split("\n")).toHaveLength(1);
});

test("help and version are answers, not errors", async () => {
  expect(await petrel(["--help"])).toMatchObject({ code: 0, err: "" });
  expect((await petrel(["version"])).out).toMatch(/^petrel \d+\.\d+\.\d+ /);
  for (const command of [
    "demo",
    "up",
    "watch",
    "investigate",
    "ask",
    "agents",
    "audit",
    "mcp",
    "doctor",
  ]) {
    expect((await petrel([command, "--help"])).out).toMatch(/^usage: petrel /);
  }
});

test("doctor names the sinks and sends nothing; a tool server that is away has failed", async () => {
  const slack = "https://hooks.slack.example/services/T000/B000/hunter2";
  const config = `
nats: { servers: ["nats://127.0.0.1:1"] }
alarms: { jsonl: "-", slack: { url: "${slack}" } }
tools: { servers: [{ name: away, url: "http://127.0.0.1:1/mcp" }] }`;
  const { code, out } = await petrel(["doctor", "--json"], { config });
  const { systems } = JSON.parse(out);
  const stateOf = (name: string) =>
    systems.find(({ system }: { system: string }) => system === name);
  expect(code).toBe(1);
  expect(stateOf("alarms")).toEqual({
    system: "alarms",
    state: "ok",
    detail: "jsonl from info, slack from warning (nothing sent)",
  });
  expect(stateOf("tools")).toMatchObject({ state: "failed" });
  expect(out).not.toContain("hunter2");
});

test("a secret never shows in an error", async () => {
  const config = "splunk: { url: 'nope', token: hunter2-very-secret }";
  const { err } = await petrel(["agents"], { config });
  expect(err).toMatch(/splunk\.url/);
  expect(err).not.toContain("hunter2");
});
