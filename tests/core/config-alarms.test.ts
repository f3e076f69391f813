/** The keys of alarms: what is taken, and how what is wrong is named. */
import { describe, expect, test } from "bun:test";
import { PetrelError, parseConfig } from "../../core/mod.ts";

const alarms = (yaml: string) => parseConfig(`alarms: {${yaml}}`, {}, "petrel.yaml").alarms;

function refusal(yaml: string, more = ""): PetrelError {
  try {
    parseConfig(`${more}alarms: {${yaml}}`, {}, "petrel.yaml");
  } catch (error) {
    if (error instanceof PetrelError) return error;
  }
  throw new Error(`it was taken: ${yaml}`);
}

test("nothing said is nobody told, and an incident's life as documented", () => {
  expect(alarms("")).toEqual({
    after_windows: 1,
    resolve_after_windows: 3,
    reopen_within: 7_200_000,
    update_every: 900_000,
    remind_every: 86_400_000,
    flap_changes: 4,
    flap_within: 7_200_000,
    maintenance: [],
    retry_for: 1_800_000,
  });
});

test("every sink has a severity of its own", () => {
  const all = alarms(`terminal: {}, webhook: {url: 'http://h'}, slack: {url: 'http://h'},
    pagerduty: {routing_key: k}, alertmanager: {url: 'http://h'}, teams: {url: 'http://h'},
    smtp: {host: h, from: 'a@example.com', to: ['b@example.com'], min_severity: critical}`);
  const { terminal, webhook, slack, pagerduty, alertmanager, teams, smtp } = all;
  expect([terminal, webhook].map((one) => one?.min_severity)).toEqual(["info", "info"]);
  expect([slack, pagerduty, alertmanager, teams, smtp].map((one) => one?.min_severity)).toEqual([
    "warning",
    "warning",
    "warning",
    "warning",
    "critical",
  ]);
});

test("maintenance over midnight and of a whole day", () => {
  const { maintenance } = alarms(`maintenance: [
    {days: [sat], from: '23:00', to: '02:00', matchers: ['service=ledger-*']},
    {days: [sun], from: '00:00', to: '24:00', matchers: ['severity!=critical'], comment: backups}]`);
  expect(maintenance.map(({ from, to }) => `${from}-${to}`)).toEqual([
    "23:00-02:00",
    "00:00-24:00",
  ]);
});

describe("refused, with the key", () => {
  const smtp = "host: mail, from: 'a@example.com', to: ['b@example.com']";
  const cases: [string, string, string][] = [
    ["an unknown sink", "sms: {number: 1}", "alarms.sms"],
    ["an unknown key of a sink", "slack: {url: 'http://h', channel: x}", "alarms.slack.channel"],
    [
      "a severity nobody has",
      "slack: {url: 'http://h', min_severity: error}",
      "alarms.slack.min_severity",
    ],
    ["no routing key", "pagerduty: {}", "alarms.pagerduty.routing_key"],
    ["a secret that is none", "webhook: {url: 'http://h', secret: hello}", "alarms.webhook.secret"],
    [
      "a short secret",
      "webhook: {url: 'http://h', secret: whsec_aGVsbG8=}",
      "alarms.webhook.secret",
    ],
    [
      "a header in a host",
      `smtp: {host: "mail\\r\\nx", from: 'a@example.com', to: ['b@example.com']}`,
      "alarms.smtp.host",
    ],
    [
      "a header in an address",
      `smtp: {host: mail, from: 'a@example.com', to: ["b@example.com\\r\\nBcc: c@d.example"]}`,
      "alarms.smtp.to.0",
    ],
    [
      "a password in the clear",
      `smtp: {${smtp}, security: none, user: u, password: p}`,
      "alarms.smtp.security",
    ],
    ["half a login", `smtp: {${smtp}, user: u}`, "alarms.smtp"],
    [
      "two logins",
      "alertmanager: {url: 'http://h', token: t, user: u, password: p}",
      "alarms.alertmanager",
    ],
    ["annotations of no Grafana", "grafana: {}", "alarms.grafana"],
    [
      "a time that is none",
      "maintenance: [{days: [mon], from: '25:00', to: '26:00', matchers: ['service=x']}]",
      "alarms.maintenance.0.from",
    ],
    [
      "no time at all",
      "maintenance: [{days: [mon], from: '02:00', to: '02:00', matchers: ['service=x']}]",
      "alarms.maintenance.0.to",
    ],
    [
      "a matcher of nothing",
      "maintenance: [{days: [mon], from: '02:00', to: '03:00', matchers: ['host=x']}]",
      "alarms.maintenance.0.matchers.0",
    ],
    [
      "everything, by omission",
      "maintenance: [{days: [mon], from: '02:00', to: '03:00', matchers: []}]",
      "alarms.maintenance.0.matchers",
    ],
    ["no windows", "after_windows: 0", "alarms.after_windows"],
  ];
  for (const [what, yaml, path] of cases) {
    test(what, () => {
      const error = refusal(yaml);
      expect(error).toMatchObject({ code: "CONFIG_INVALID", fields: { path } });
    });
  }

  test("a secret is not shown", () => {
    expect(refusal("webhook: {url: 'http://h', secret: hush-hush}").message).not.toContain(
      "hush-hush",
    );
    expect(refusal("slack: {url: 'hush-hush'}").message).not.toContain("hush-hush");
  });
});
