/**
 * What the SRE agents of a run do, as it goes over the wire: what they write into KV and into their tasks'
 * logs. Reads along; nobody waits for it.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import { z } from "zod";
import { INCIDENTS_BUCKET, INVESTIGATIONS_BUCKET } from "../../../agents/mod.ts";
import type { Step } from "./plan.ts";

/** As much of the book as a run has to know. */
export const BookView = z.looseObject({
  heads: z.array(
    z.looseObject({ state: z.string(), pending: z.array(z.looseObject({ isTold: z.boolean() })) }),
  ),
});
const RecordView = z.looseObject({
  taskId: z.string().optional(),
  timeline: z.array(z.unknown()),
});

const TASKS = "a2a.v1.task.sre.>";
const INCIDENTS = `$KV.${INCIDENTS_BUCKET}.`;
const INVESTIGATIONS = `$KV.${INVESTIGATIONS_BUCKET}.`;

/** Calls `onStep` for every step, until the connection closes or `stop` is called. */
export function watchSteps(nc: NatsConnection, onStep: (step: Step) => void): { stop(): void } {
  const seen = new Seen();
  const subscriptions = [`${INCIDENTS}>`, `${INVESTIGATIONS}>`, TASKS].map((subject) =>
    nc.subscribe(subject, {
      callback: (_error, message) => {
        const step = seen.stepOf(message.subject, () => message.string());
        if (step !== undefined) onStep(step);
      },
    }),
  );
  return {
    stop: () => {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}

/**
 * Tells the writes to one key apart by what was written to it before. A write that is refused because
 * another was faster is seen too: whoever made it is at that step all the same.
 */
class Seen {
  #isPending = false;
  #changes = 0;
  #hasTask = false;

  stepOf(subject: string, text: () => string): Step | undefined {
    if (subject.startsWith(INVESTIGATIONS)) {
      const key = subject.slice(INVESTIGATIONS.length);
      if (key.startsWith("v.")) return "settled";
      return key.startsWith("x.") ? "words" : undefined;
    }
    if (!subject.startsWith(INCIDENTS)) return "event";
    const key = subject.slice(INCIDENTS.length);
    // A deletion has no text, and is no step.
    if (text() === "") return undefined;
    if (key === "book") return this.#book(BookView.parse(JSON.parse(text())));
    return key.startsWith("inc.") ? this.#record(RecordView.parse(JSON.parse(text()))) : undefined;
  }

  #book({ heads }: z.infer<typeof BookView>): Step | undefined {
    const was = this.#isPending;
    this.#isPending = heads.some(({ pending }) => pending.length > 0);
    if (was === this.#isPending) return undefined;
    return was ? "forgotten" : "book";
  }

  #record({ timeline, taskId }: z.infer<typeof RecordView>): Step {
    const isNew = timeline.length > this.#changes;
    const isOfTask = taskId !== undefined && !this.#hasTask;
    this.#changes = Math.max(this.#changes, timeline.length);
    this.#hasTask ||= isOfTask;
    if (isNew) return "record";
    return isOfTask ? "task" : "marked";
  }
}
