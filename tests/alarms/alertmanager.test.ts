/** The alerts of an incident, by the rules of labels, and in a real Alertmanager. */
import { describe, expect, test as plainTest } from "bun:test";
import { z } from "zod";
import { alertmanagerSink, type Notice } from "../../alarms/mod.ts";
import { alertsOf } from "../../alarms/sinks/alertmanager.ts";
import { systemClock } from "../../core/mod.ts";
import { startAlertmanager, testWithAlertmanager } from "../support/alertmanager.ts";
import { failureOf } from "../support/failure.ts";
import { until } from "../support/until.ts";
import { INCIDENT, notice } from "./notices.ts";
import { answers, never, receiver } from "./receiver.ts";

const test = await testWithAlertmanager();

const DAY_MS = 86_400_000;
const openForMs = DAY_MS;

describe("labels", () => {
  const opened = notice({ severity: "warning" });
  const [first] = alertsOf(opened, { active: [], openForMs });
  const active = first ? [first.labels] : [];

  plainTest("tell what people route and silence by; the rest are annotations", () => {
    expect(first).toMatchObject({
      labels: {
        alertname: "PetrelIncident",
        incident: INCIDENT,
        service: "payment-service",
        mechanism: "database connection pool exhausted",
        severity: "warning",
        kind: "fault",
      },
      startsAt: "2026-03-13T14:25:21.000Z",
      endsAt: "2026-03-14T14:25:21.000Z",
      generatorURL: "https://grafana.example/d/spring-boot",
    });
    expect(first?.annotations).toMatchObject({ notice: `${INCIDENT}.1`, change: "opened" });
  });

  plainTest("stay as they were when the cause is known better, or it is less urgent", () => {
    for (const differs of [
      { mechanism: "slow database", service: "ledger-service" },
      { severity: "info" as const },
    ]) {
      const later = notice({ severity: "warning", change: "updated", ...differs });
      const posted = alertsOf(later, { active, openForMs });
      expect(posted.map(({ labels }) => labels)).toEqual(active);
      expect(posted[0]?.annotations["severity_now"]).toBe(later.severity);
    }
  });

  plainTest(
    "more urgent: an alert with the new labels takes the old one's place in the same call",
    () => {
      const at = "2026-03-13T14:40:00.000Z";
      const later = notice({ severity: "critical", change: "updated", at });
      const [now, before, ...others] = alertsOf(later, { active, openForMs });
      expect(others).toEqual([]);
      expect(now).toMatchObject({
        labels: { severity: "critical" },
        endsAt: "2026-03-14T14:40:00.000Z",
      });
      expect(before).toMatchObject({ labels: active[0], endsAt: at });
    },
  );

  plainTest("alerts of others that a server hands out are left alone", () => {
    const foreign: Record<string, string>[] = [
      { alertname: "PetrelIncident", incident: "another" },
      { alertname: "Watchdog" },
    ];
    const posted = alertsOf(notice({ change: "resolved" }), { active: foreign, openForMs });
    expect(posted.map(({ labels }) => labels["incident"])).toEqual([INCIDENT]);
  });

  plainTest("a notice whose time is no instant is a defect, and is not sent", async () => {
    await using there = receiver(answers.json([]));
    const sink = sinkAt(there.url);
    const error = await failureOf(sink.send(notice({ at: "yesterday" }), never()));
    expect(error).toMatchObject({ code: "INTERNAL", retry: "never" });
    expect(there.requests.filter(({ method }) => method === "POST")).toEqual([]);
  });
});

const Active = z.array(
  z.object({
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()),
    startsAt: z.string(),
    endsAt: z.string(),
  }),
);

function sinkAt(url: string) {
  return alertmanagerSink({ url, openForMs, minSeverity: "warning", timeoutMs: 10_000 });
}

async function activeAt(url: string) {
  const response = await fetch(`${url}/api/v2/alerts`);
  return Active.parse(await response.json());
}

/** Alertmanager lives now, so that its notices have to. */
function noticeNow(differs: Partial<Notice>): Notice {
  const nowMs = systemClock.nowMs();
  const at = (ms: number) => new Date(nowMs + ms).toISOString();
  return notice({ openedAt: at(-60_000), at: at(0), ...differs });
}

test("a real Alertmanager: opened, sent twice, updated, more urgent, resolved: one alert all along", async () => {
  await using alertmanager = await startAlertmanager();
  const { url } = alertmanager;
  const sink = sinkAt(`${url}/`);
  const opened = noticeNow({ severity: "warning" });
  await sink.send(opened, never());
  await sink.send(opened, never());
  expect(await activeAt(url)).toMatchObject([
    {
      labels: { alertname: "PetrelIncident", incident: INCIDENT, severity: "warning" },
      annotations: { notice: opened.id },
      startsAt: opened.openedAt,
      endsAt: new Date(Date.parse(opened.at) + openForMs).toISOString(),
    },
  ]);

  const updated = noticeNow({
    id: `${INCIDENT}.2`,
    change: "updated",
    severity: "warning",
    mechanism: "slow database",
    title: "payment-service: slow database",
  });
  await sink.send(updated, never());
  expect(await activeAt(url)).toMatchObject([
    {
      labels: { mechanism: "database connection pool exhausted" },
      annotations: {
        notice: updated.id,
        summary: "WARNING updated: payment-service: slow database",
      },
    },
  ]);

  await sink.send(noticeNow({ id: `${INCIDENT}.3`, change: "updated" }), never());
  await until("one alert, critical", async () => {
    const alerts = await activeAt(url);
    return alerts.length === 1 && alerts[0]?.labels["severity"] === "critical";
  });

  await sink.send(noticeNow({ id: `${INCIDENT}.4`, change: "resolved" }), never());
  await until("no alert", async () => (await activeAt(url)).length === 0);

  await sink.send(noticeNow({ id: `${INCIDENT}.5`, change: "reopened" }), never());
  expect(await activeAt(url)).toMatchObject([{ annotations: { notice: `${INCIDENT}.5` } }]);
});

test("a real Alertmanager hands it on: once firing, once resolved", async () => {
  await using people = receiver(answers.text(""));
  await using alertmanager = await startAlertmanager({ webhookUrl: people.url });
  const sink = sinkAt(alertmanager.url);
  const told = () =>
    people.requests.map(
      ({ text }) => z.object({ status: z.string() }).parse(JSON.parse(text)).status,
    );
  const opened = noticeNow({});
  await sink.send(opened, never());
  await until("firing", () => told().length > 0);
  await sink.send(opened, never());
  await sink.send(noticeNow({ id: `${INCIDENT}.2`, change: "resolved" }), never());
  await until("resolved", () => told().includes("resolved"));
  expect(told()).toEqual(["firing", "resolved"]);
});

test("a real Alertmanager refuses in words, and takes hostile texts as texts", async () => {
  await using alertmanager = await startAlertmanager();
  const sink = sinkAt(alertmanager.url);
  const hostile = noticeNow({
    title: '{{ template "x" }} <b> \u0000\ud800',
    service: 'a"} or {alertname=~".*',
    location: "",
    links: [{ title: "x", url: "javascript:alert(1)" }],
  });
  await sink.send(hostile, never());
  expect(await activeAt(alertmanager.url)).toMatchObject([
    { labels: { service: 'a"} or {alertname=~".*' } },
  ]);
  const wrong = alertmanagerSink({
    url: `${alertmanager.url}/nowhere`,
    openForMs,
    minSeverity: "warning",
    timeoutMs: 10_000,
  });
  expect(await failureOf(wrong.send(hostile, never()))).toMatchObject({
    code: "QUERY_REFUSED",
    fields: { status: 404 },
  });
});
