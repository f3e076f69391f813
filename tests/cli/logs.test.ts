/** Logs from files and from a JetStream stream, instead of Splunk, through the whole system. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTeam } from "../../cli/team.ts";
import { parseConfig, silentLogger } from "../../core/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { type NatsServer, startNats } from "../support/nats.ts";

let nats: NatsServer;
let dir: string;

beforeAll(async () => {
  nats = await startNats();
  dir = await mkdtemp(join(tmpdir(), "petrel-logs-"));
});
afterAll(async () => {
  await nats[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

function line(timeMs: number, level: string, text: string): string {
  const time = new Date(timeMs).toISOString();
  return `${time} ${level.padStart(5)} 1 --- [payment-service] [main] c.a.Pool : ${text}`;
}

/** Ten calm minutes, then five with a pool that is exhausted. */
function linesFrom(startMs: number): string[] {
  return Array.from({ length: 900 }, (_, second) => {
    const at = startMs + second * 1_000;
    return second < 600 || second % 3 > 0
      ? line(at, "INFO", `payment ${second} accepted in 20 ms`)
      : line(
          at,
          "ERROR",
          "HikariPool-1 - Connection is not available, request timed out after 30004ms.",
        );
  });
}

async function investigate(logs: string, startMs: number) {
  const config = parseConfig(
    `nats: { servers: ["${nats.url}"] }\nlogs: ${logs}\nsre: { timeout: 20s }`,
    {},
    "test",
  );
  const team = await startTeam(config, silentLogger, { evidence: ["splunk"] });
  const window = { startMs: startMs + 600_000, endMs: startMs + 900_000 };
  const baseline = [{ startMs, endMs: startMs + 600_000 }];
  const verdict = await team.sre.investigate(window, { baseline });
  await team.stop();
  return verdict;
}

test("files by glob, packed or not: the window's lines and no others", async () => {
  const startMs = Date.parse("2026-03-13T14:00:00Z");
  const lines = linesFrom(startMs);
  await Bun.write(join(dir, "a.log"), `${lines.slice(0, 500).join("\n")}\n`);
  await Bun.write(join(dir, "b.log.gz"), Bun.gzipSync(`${lines.slice(500).join("\n")}\n`));
  const verdict = await investigate(`{ files: ["${dir}/*.log*"] }`, startMs);
  expect(verdict?.sources.splunk?.reason).toBeUndefined();
  expect(verdict?.sources.splunk?.stats).toMatchObject({
    lines: 300,
    outsideWindow: 0,
    unparsed: 0,
  });
  expect(verdict?.rootCause?.service).toBe("payment-service");
  expect(verdict?.rootCause?.mechanism).toContain("connection pool");
});

test("a file by its absolute path, which is no pattern", async () => {
  const startMs = Date.parse("2026-03-14T14:00:00Z");
  const file = join(dir, "absolute [one].log");
  await Bun.write(file, `${linesFrom(startMs).join("\n")}\n`);
  const verdict = await investigate(JSON.stringify({ files: [file] }), startMs);
  expect(verdict).toMatchObject({ outcome: "incident" });
});

test("a pattern that matches nothing fails the source", async () => {
  const verdict = await investigate(`{ files: ["${dir}/none-*.log"] }`, 1_000_000_000_000);
  expect(verdict?.outcome).toBe("inconclusive");
  expect(verdict?.sources.splunk?.reason).toContain("matches no file");
});

test("a JetStream stream: each message is an event", async () => {
  const mesh = await openMesh(nats.url);
  await mesh.jsm.streams.add({ name: "LOGS", subjects: ["logs.>"] });
  // Events reach a stream when they happen, so the recording ends now.
  const startMs = mesh.clock.nowMs() - 900_000;
  for (const text of linesFrom(startMs)) await mesh.js.publish("logs.payment", text);
  const verdict = await investigate("{ nats_stream: LOGS }", startMs);
  await mesh.close();
  expect(verdict?.sources.splunk?.stats.lines).toBe(300);
  expect(verdict?.rootCause?.service).toBe("payment-service");
});
