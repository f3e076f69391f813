/** The alarm sinks that the configuration names. Nothing here talks to anybody yet. */
import { readFileSync } from "node:fs";
import {
  type AlarmSink,
  alertmanagerSink,
  appendLine,
  grafanaSink,
  jsonlSink,
  pagerdutySink,
  slackSink,
  smtpSink,
  teamsSink,
  terminalSink,
  webhookSink,
} from "../alarms/mod.ts";
import { type Config, messageOf, PetrelError, systemClock } from "../core/mod.ts";

type Alarms = Config["alarms"];
type Sink<Key extends keyof Alarms> = NonNullable<Alarms[Key]>;

/** One sink for each that is configured. Throws CONFIG_INVALID for a file that cannot be read. */
export function sinksOf({ alarms, grafana }: Config): AlarmSink[] {
  const { jsonl, terminal, webhook, slack, pagerduty, alertmanager, teams, smtp } = alarms;
  const sinks = [
    jsonl !== undefined && jsonlSink({ write: lineWriter(jsonl) }),
    terminal && terminalOf(terminal),
    webhook && webhookOf(webhook),
    slack && slackSink({ url: slack.url, ...common(slack) }),
    pagerduty &&
      pagerdutySink({
        routingKey: pagerduty.routing_key,
        url: pagerduty.url,
        ...common(pagerduty),
      }),
    alertmanager && alertmanagerOf(alertmanager),
    teams && teamsSink({ url: teams.url, ...common(teams) }),
    smtp && smtpOf(smtp),
    alarms.grafana && grafanaOf(alarms.grafana, grafana),
  ];
  return sinks.filter((sink): sink is AlarmSink => Boolean(sink));
}

/** Writes lines to standard output (`-`), or each in one append to a file. */
export function lineWriter(target: string): (line: string) => void {
  if (target === "-") return (line) => void process.stdout.write(line);
  return (line) => appendLine(target, line);
}

function common({ min_severity, timeout }: Pick<Sink<"terminal">, "min_severity" | "timeout">) {
  return { minSeverity: min_severity, timeoutMs: timeout };
}

function terminalOf(terminal: Sink<"terminal">): AlarmSink {
  return terminalSink({
    write: (text) => void process.stdout.write(text),
    isTerminal: process.stdout.isTTY,
    ...common(terminal),
  });
}

function webhookOf(webhook: Sink<"webhook">): AlarmSink {
  const { url, headers, secret } = webhook;
  return webhookSink({
    url,
    headers,
    ...(secret === undefined ? {} : { secret }),
    ...common(webhook),
    clock: systemClock,
  });
}

function alertmanagerOf(alertmanager: Sink<"alertmanager">): AlarmSink {
  const { url, user, password = "", token, ca_file, open_for } = alertmanager;
  const basic = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const authorization =
    token === undefined ? (user === undefined ? undefined : basic) : `Bearer ${token}`;
  return alertmanagerSink({
    url,
    ...(authorization === undefined ? {} : { authorization }),
    ...tlsOf("alarms.alertmanager.ca_file", ca_file),
    openForMs: open_for,
    ...common(alertmanager),
  });
}

function smtpOf(smtp: Sink<"smtp">): AlarmSink {
  const { host, port, security, user, password, ca_file, from, to } = smtp;
  return smtpSink({
    host,
    port,
    security,
    ...(user === undefined || password === undefined ? {} : { user, password }),
    ...tlsOf("alarms.smtp.ca_file", ca_file).tls,
    from,
    to,
    ...common(smtp),
  });
}

function grafanaOf(sink: Sink<"grafana">, grafana: Config["grafana"]): AlarmSink {
  if (!grafana) {
    const text = "configuration: alarms.grafana: the section grafana says where; it is missing";
    throw new PetrelError("CONFIG_INVALID", text, { path: "alarms.grafana" });
  }
  const { url, token, ca_file } = grafana;
  return grafanaSink({
    url,
    ...(token === undefined ? {} : { token }),
    ...tlsOf("grafana.ca_file", ca_file),
    ...(sink.dashboard_uid === undefined ? {} : { dashboardUid: sink.dashboard_uid }),
    ...common(sink),
  });
}

function tlsOf(path: string, file: string | undefined): { tls?: { ca: string } } {
  if (file === undefined) return {};
  try {
    return { tls: { ca: readFileSync(file, "utf8") } };
  } catch (error) {
    throw new PetrelError("CONFIG_INVALID", `${path}: ${messageOf(error)}`, { path }, error);
  }
}
