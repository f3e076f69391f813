/** Every case by its name, in the order they are run. */
import { benchAlarm } from "./alarm/case.ts";
import { benchBridge, benchNatsKafka, benchRecords } from "./bridge/case.ts";
import { benchVerify } from "./bridge/verify.ts";
import type { Figure } from "./figure.ts";
import { benchLlmTokens } from "./llm/case.ts";
import { benchLogs, benchLogsDistinct, benchLogsMany, benchLogsSlow } from "./logs/case.ts";
import { benchCallers } from "./mesh/callers.ts";
import { benchRegistry } from "./mesh/registry.ts";
import { benchStream } from "./mesh/stream.ts";
import { benchMine, benchMineDistinct } from "./mine/case.ts";
import { benchRank } from "./rank/case.ts";
import { benchRpc } from "./rpc/case.ts";
import type { BenchContext } from "./run.ts";
import { benchStartup } from "./startup/case.ts";

export interface Case {
  readonly name: string;
  /** What is measured, and beside what. */
  readonly about: string;
  run(context: BenchContext): Promise<Figure[]>;
}

export const CASES: readonly Case[] = [
  {
    name: "rpc",
    about:
      "A2A SendMessage over NATS, audited (rpc-task: a durable task); peer: NATS request-reply (rpc-http: the SDK's express server)",
    run: benchRpc,
  },
  {
    name: "stream",
    about: "2,000 and 4,000 chunks of a durable task, over NATS and over HTTP",
    run: benchStream,
  },
  {
    name: "registry",
    about: "with 1,000 agents there: registering, being found by another process, finding",
    run: benchRegistry,
  },
  {
    name: "callers",
    about: "1,000 callers of one replica for a minute: answers, refusals, memory afterwards",
    run: benchCallers,
  },
  {
    name: "logs",
    about: "1,000,000 log lines of Splunk's export into a summary; peer: body as text, JSON.parse",
    run: benchLogs,
  },
  { name: "logs-3m", about: "the same with 3,000,000 lines", run: benchLogsMany },
  {
    name: "logs-distinct",
    about: "1,000,000 and 10,000,000 lines, half of which say what no other line says",
    run: (context) => benchLogsDistinct(context),
  },
  {
    name: "logs-slow",
    about: "bytes that wait for a reader 100 times slower; peer: the body as text",
    run: benchLogsSlow,
  },
  {
    name: "mine",
    about:
      "log templates found, lines/s; peer: Python's Drain3, same lines, masks for the same values",
    run: (context) => benchMine(context),
  },
  {
    name: "mine-distinct",
    about: "the same on one and ten million lines, each second one with words no other line has",
    run: (context) => benchMineDistinct(context),
  },
  {
    name: "rank",
    about: "200 services with 50 metrics each, two hours by the minute: tested and ranked",
    run: (context) => benchRank(context),
  },
  {
    name: "llm-tokens",
    about: "tokens of the first question to a model: a thousand, a million, ten million lines",
    run: (context) => benchLlmTokens(context),
  },
  {
    name: "alarm",
    about:
      "from a window of 100,000 lines and 2,000 series to the sink, without LLM, and the share of each step",
    run: (context) => benchAlarm(context),
  },
  {
    name: "bridge",
    about:
      "100,000 envelopes of the audit into Kafka, exactly once; peer: kafkajs, the same batches",
    run: benchBridge,
  },
  {
    name: "nats-kafka",
    about: "the same, an envelope a message; peer: nats-io/nats-kafka, a connector per subject",
    run: benchNatsKafka,
  },
  { name: "verify", about: "1,000,000 records in Kafka verified, and a tenth", run: benchVerify },
  { name: "records", about: "what it costs to make a record of two reports", run: benchRecords },
  { name: "startup", about: "the binary; peer: the same from source", run: benchStartup },
];
