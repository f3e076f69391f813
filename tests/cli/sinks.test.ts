import { expect, test } from "bun:test";
import { sinksOf } from "../../cli/sinks.ts";
import { parseConfig } from "../../core/mod.ts";

const EVERY = `
grafana: { url: "https://grafana.example", token: g-1 }
alarms:
  jsonl: "-"
  terminal: { min_severity: critical }
  webhook: { url: "https://hooks.example/petrel", timeout: 3s }
  slack: { url: "https://hooks.slack.example/services/T/B/x" }
  pagerduty: { routing_key: k }
  alertmanager: { url: "https://alertmanager.example", user: u, password: p }
  teams: { url: "https://teams.example/?sig=x" }
  smtp: { host: mail.example, from: petrel@example.com, to: [oncall@example.com] }
  grafana: { dashboard_uid: abc }
`;

test("one sink for each that is configured, with its severity and its deadline", () => {
  const sinks = sinksOf(parseConfig(EVERY, {}, "petrel.yaml"));
  expect(
    sinks.map(({ name, minSeverity, isIdempotent, timeoutMs }) => [
      name,
      minSeverity,
      isIdempotent,
      timeoutMs,
    ]),
  ).toEqual([
    ["jsonl", "info", false, 10_000],
    ["terminal", "critical", false, 10_000],
    ["webhook", "info", true, 3_000],
    ["slack", "warning", false, 10_000],
    ["pagerduty", "warning", true, 10_000],
    ["alertmanager", "warning", true, 10_000],
    ["teams", "warning", false, 10_000],
    ["smtp", "warning", false, 30_000],
    ["grafana", "warning", true, 10_000],
  ]);
});

test("nothing configured is no sink", () => {
  expect(sinksOf(parseConfig("", {}, "petrel.yaml"))).toEqual([]);
});

test("an authority that cannot be read is named by its key", () => {
  const yaml = `alarms: { alertmanager: { url: "https://a.example", ca_file: /no/such/file } }`;
  const config = parseConfig(yaml, {}, "petrel.yaml");
  expect(() => sinksOf(config)).toThrow("alarms.alertmanager.ca_file");
});
