import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import {
  backfillPrometheus,
  loadTrainTicket,
  type PrometheusServer,
  type Recording,
  serviceOfPod,
  startPrometheus,
} from "../../sim/mod.ts";
import { programForTests } from "../support/runtime.ts";
import { collectRows, instantVector, timeMsOfRow } from "./replay-support.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

describe("train-ticket logs", () => {
  let recording: Recording;
  beforeAll(async () => {
    recording = await loadTrainTicket();
  });

  test("every type of fault is there, on both days, and no window overlaps its baselines", () => {
    const kinds = new Set(recording.windows.map((entry) => entry.kind));
    for (const kind of ["return", "exception", "cpu_contention", "network_delay", "fault_free"]) {
      expect(kinds).toContain(kind as "return");
    }
    const days = new Set(
      recording.windows.map((entry) => new Date(entry.window.startMs).getUTCDate()),
    );
    expect(days).toEqual(new Set([29, 30]));
    for (const { window, logBaselines, metricBaseline } of recording.windows) {
      for (const base of [...logBaselines, ...(metricBaseline ? [metricBaseline] : [])]) {
        expect(base.endMs <= window.startMs || base.startMs >= window.endMs).toBe(true);
      }
    }
  });

  test("a window and each of its baselines have rows", async () => {
    for (const { window, logBaselines } of recording.windows) {
      for (const { startMs, endMs } of [window, ...logBaselines]) {
        const rows = await collectRows(recording, { earliestMs: startMs, latestMs: endMs });
        expect(rows.length).toBeGreaterThan(500);
      }
    }
  });

  test("the rows of the contacts fault are those of the source, newest first", async () => {
    const fault = recording.windows.find((entry) => entry.id === "20230129-0843-contacts-return");
    const rows = await collectRows(recording, {
      earliestMs: fault?.window.startMs ?? 0,
      latestMs: fault?.window.endMs ?? 0,
    });
    expect(rows.length).toBe(5476);
    expect(rows[0]?._time).toBe("2023-01-29 08:45:08.523 GMT");
    expect(rows[0]?._raw).toStartWith("16:45:08.523 INFO  t.s.TravelServiceImpl#372 TraceID: ");
    const times = rows.map(timeMsOfRow);
    expect(times).toEqual([...times].sort((a, b) => b - a));
  });

  test("a query never gives rows outside its times or services, and joins without loss", async () => {
    const { startMs, endMs } = recording.windows[0]?.logCoverage ?? { startMs: 0, endMs: 0 };
    const services = ["ts-contacts-service", "ts-order-service"];
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: startMs, max: endMs }), async (splitMs) => {
        const earlier = { earliestMs: startMs, latestMs: splitMs, services };
        const later = { earliestMs: splitMs, latestMs: endMs, services };
        const parts = [await collectRows(recording, later), await collectRows(recording, earlier)];
        const whole = await collectRows(recording, { ...earlier, latestMs: endMs });
        expect(parts.flat()).toEqual(whole);
        expect(parts[1]?.every((row) => timeMsOfRow(row) < splitMs)).toBe(true);
        expect(whole.every((row) => services.includes(serviceOfPod(String(row.pod))))).toBe(true);
      }),
      { seed, numRuns: 20 },
    );
  });

  test("a directory without a cut is refused by name", async () => {
    const dir = await mkdtemp(join(tmpdir(), "petrel-no-cut-"));
    await expect(loadTrainTicket(dir)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await rm(dir, { recursive: true });
  });

  test("a compiled binary carries the data with it", async () => {
    const dir = await mkdtemp(join(tmpdir(), "petrel-compiled-"));
    const source = join(dir, "main.ts");
    const mod = join(import.meta.dir, "../../sim/mod.ts");
    await Bun.write(
      source,
      `import { loadTrainTicket } from ${JSON.stringify(mod)};
       const recording = await loadTrainTicket();
       let rows = 0;
       for await (const batch of recording.logRows({ earliestMs: 0, latestMs: Infinity })) rows += batch.length;
       const text = (await Array.fromAsync(recording.openMetrics())).join("");
       console.log(JSON.stringify({ rows, metrics: text.length, isWhole: text.endsWith("# EOF\\n") }));`,
    );
    const built = await Bun.build({
      entrypoints: [source],
      compile: { outfile: join(dir, "main") },
    });
    expect(built.success).toBe(true);
    const child = Bun.spawn([join(dir, "main")], { cwd: dir, stdout: "pipe" });
    const said: unknown = JSON.parse(await child.stdout.text());
    const text = (await Array.fromAsync(recording.openMetrics())).join("");
    const query = { earliestMs: 0, latestMs: Number.MAX_SAFE_INTEGER };
    const rows = (await collectRows(recording, query)).length;
    expect(said).toEqual({ rows, metrics: text.length, isWhole: true });
    await rm(dir, { recursive: true });
  });

  test("the cut on disk reads like the one built in", async () => {
    const fromDisk = await loadTrainTicket(join(import.meta.dir, "../../sim/data/train-ticket"));
    expect(fromDisk.windows).toEqual(recording.windows);
    const query = { earliestMs: 0, latestMs: Number.MAX_SAFE_INTEGER };
    const count = (rows: unknown[]) => rows.length;
    expect(count(await collectRows(fromDisk, query))).toBe(
      count(await collectRows(recording, query)),
    );
  });
});

describe("train-ticket metrics in a real Prometheus", () => {
  let server: PrometheusServer;
  let dataDir: string;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "petrel-prometheus-"));
    const promtool = (await programForTests("promtool")).path;
    const prometheus = (await programForTests("prometheus")).path;
    const recording = await loadTrainTicket();
    await backfillPrometheus({ promtool, openMetrics: recording.openMetrics(), dataDir });
    server = await startPrometheus({ prometheus, dataDir });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  test("cpu contention: contacts-service runs at its limit, and nobody else", async () => {
    const usage =
      "rate(container_cpu_usage_seconds_total[2m]) / on(namespace,pod,container) " +
      'kube_pod_container_resource_limits{resource="cpu"} > 0.9';
    const during = await instantVector(server.url, usage, Date.parse("2023-01-29T13:34:54Z"));
    expect(during.map((point) => serviceOfPod(point.labels.pod ?? ""))).toEqual([
      "ts-contacts-service",
    ]);
    expect(during[0]?.value).toBeCloseTo(1.0, 2);
    expect(await instantVector(server.url, usage, Date.parse("2023-01-29T13:30:30Z"))).toEqual([]);
  });

  test("the recorded rate comes back from the counter", async () => {
    const at = Date.parse("2023-01-29T13:34:54Z");
    const query = 'rate(container_cpu_usage_seconds_total{pod=~"ts-contacts-service.*"}[2m])';
    // The source says 500.093 millicores for the minute that ended at 13:34:09.
    expect((await instantVector(server.url, query, at))[0]?.value).toBeCloseTo(0.500093, 5);
  });

  test("limits are those of the deployment, and both days are served", async () => {
    for (const day of ["2023-01-29T10:45:00Z", "2023-01-30T12:30:00Z"]) {
      const at = Date.parse(day);
      const memory = await instantVector(server.url, "container_memory_working_set_bytes", at);
      // Of 46 pods the source did not measure the memory of two: ts-avatar and ts-security.
      expect(memory.length).toBe(44);
      const cpu = 'kube_pod_container_resource_limits{resource="cpu",pod=~"ts-basic-.*"}';
      expect((await instantVector(server.url, cpu, at))[0]?.value).toBe(0.5);
    }
  });

  test("a taken port is an error that says so, and leaves no process", async () => {
    const otherDir = await mkdtemp(join(tmpdir(), "petrel-prometheus-"));
    const prometheus = (await programForTests("prometheus")).path;
    const port = Number(new URL(server.url).port);
    await expect(startPrometheus({ prometheus, dataDir: otherDir, port })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("address already in use"),
    });
    await rm(otherDir, { recursive: true, force: true });
  });

  test("text that is not OpenMetrics is refused with promtool's words", async () => {
    const otherDir = await mkdtemp(join(tmpdir(), "petrel-prometheus-"));
    const promtool = (await programForTests("promtool")).path;
    async function* broken() {
      yield "up{ 1 1\n# EOF\n";
    }
    const filled = backfillPrometheus({ promtool, openMetrics: broken(), dataDir: otherDir });
    await expect(filled).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await rm(otherDir, { recursive: true, force: true });
  });
});
