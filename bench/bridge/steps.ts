/** The process of one run of `records`: what each step of making a record costs, in processor time. */
import { z } from "zod";
import {
  type AuditMessage,
  leafHash,
  Mirror,
  makeEncoder,
  makeRecorder,
} from "../../bridge/mod.ts";
import { makeRedactor, PetrelError } from "../../core/mod.ts";
import { peakMegabytes } from "../memory.ts";
import type { Run } from "../run.ts";
import { answer, readTask } from "../worker.ts";
import { LAYOUT, RECORD_BYTES_MAX, TREE } from "./site.ts";
import { callStream } from "./stream.ts";

export const StepsTask = z.object({ envelopes: z.number(), bodyBytes: z.number() });
export type StepsTask = z.infer<typeof StepsTask>;

/** Passes over the same stream; the last is measured, when all of it is compiled. */
const PASSES = 5;
const BEGIN_MS = Date.UTC(2026, 2, 13, 14, 20);

class Stopwatch {
  readonly micros: Record<string, number> = {};

  time<T>(step: string, work: () => T): T {
    const before = process.cpuUsage();
    const done = work();
    const { user, system } = process.cpuUsage(before);
    this.micros[step] = (this.micros[step] ?? 0) + user + system;
    return done;
  }
}

/** One pass: both reports in, records and leaves out, pack by pack as the bridge does. */
function pass(messages: readonly AuditMessage[], watch: Stopwatch): number {
  const redactor = makeRedactor({ key: new Uint8Array(32).fill(7) });
  const recorder = makeRecorder({
    redactor,
    encode: makeEncoder({ prefix: "p", layout: LAYOUT, content: "binary", encoding: "json" }),
    valueBytesMax: RECORD_BYTES_MAX,
  });
  const options = { stream: "AUDIT", horizonMs: 900_000, silenceMs: 300_000, isWhole: true };
  const mirror = new Mirror(options, { nextSeq: 1 });
  let leaf = 0;
  for (const message of messages) {
    const facts = watch.time("mirror", () => mirror.accept(message));
    watch.time("redact", () => {
      for (const fact of facts) if (fact.kind === "envelope") redactor.redactJson(fact.record.body);
    });
    // Redaction is a part of it.
    const records = watch.time("record", () =>
      facts.map((fact) => recorder.record(fact, TREE.tree, leaf++).record),
    );
    watch.time("leaf", () => records.map(leafHash));
  }
  return leaf;
}

async function measure({ envelopes, bodyBytes }: StepsTask): Promise<Run> {
  const messages: AuditMessage[] = [];
  for (const { subject, header: pack, data } of callStream(envelopes, bodyBytes)) {
    const seq = messages.length + 1;
    messages.push({ seq, subject, pack, data, timeMs: BEGIN_MS + seq });
  }
  let watch = new Stopwatch();
  for (let nth = 1; nth <= PASSES; nth++) {
    watch = new Stopwatch();
    const records = pass(messages, watch);
    if (records !== envelopes) throw new PetrelError("INTERNAL", `records: ${records} were made`);
  }
  const cost: Record<string, number> = { peak: await peakMegabytes() };
  for (const [step, micros] of Object.entries(watch.micros)) cost[step] = micros / envelopes;
  return { work: { records: envelopes }, cost };
}

if (import.meta.main) answer(await measure(readTask(StepsTask)));
