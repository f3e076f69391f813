/** Fills the AUDIT stream before a bridge starts: the process of it, so that its memory is nobody's. */
import { headers } from "@nats-io/nats-core";
import { z } from "zod";
import { AuditAccess, PACK_HEADER } from "../../a2a/mod.ts";
import { makeLogger } from "../../core/mod.ts";
import { answer, readTask } from "../worker.ts";
import { callStream, eventStream, type Pack } from "./stream.ts";

export const FillTask = z.object({
  url: z.string(),
  /** calls: two reports an envelope, in full packs; events: an envelope a message, of so many agents. */
  of: z.union([z.literal("calls"), z.object({ agents: z.number() })]),
  envelopes: z.number(),
  bodyBytes: z.number(),
});
export type FillTask = z.infer<typeof FillTask>;

/** What the stream holds now. */
export const Filled = z.object({ messages: z.number(), reports: z.number(), bytes: z.number() });
export type Filled = z.infer<typeof Filled>;

/** Publishes under way at once. */
const WINDOW = 64;

function packsOf({ of, envelopes, bodyBytes }: FillTask): Iterable<Pack> {
  return of === "calls"
    ? callStream(envelopes, bodyBytes)
    : eventStream(envelopes, bodyBytes, of.agents);
}

async function fill(task: FillTask): Promise<Filled> {
  const log = makeLogger({ level: "warn" });
  const { url } = task;
  const access = await AuditAccess.open({ servers: [url], name: "fill", log, retentionDays: 30 });
  const filled = { messages: 0, reports: 0, bytes: 0 };
  const underWay: Promise<{ seq: number }>[] = [];
  const oneStored = async () => {
    filled.messages = (await underWay.shift())?.seq ?? filled.messages;
  };
  for (const { subject, header, data, reports } of packsOf(task)) {
    const packHeaders = headers();
    packHeaders.set(PACK_HEADER, header);
    underWay.push(access.js.publish(subject, data, { headers: packHeaders }));
    filled.reports += reports;
    filled.bytes += data.length;
    if (underWay.length >= WINDOW) await oneStored();
  }
  while (underWay.length > 0) await oneStored();
  await access.close();
  return filled;
}

if (import.meta.main) answer(await fill(readTask(FillTask)));
