/** The bridge's schemas in a registry: checked and registered before the first record is written. */
import { PetrelError } from "../../core/mod.ts";
import type { SchemaIds } from "./encode.ts";
import type { SchemaRegistry } from "./registry.ts";
import { type Format, type ValueSchema, valueSchema } from "./schemas.ts";
import { CHANNELS, type Channel, type TopicOptions, topicOf } from "./topics.ts";

/**
 * The subject of a channel's values. TopicNameStrategy, which is what readers expect: `<topic>-value`.
 * Where one topic holds values of several schemas, TopicRecordNameStrategy: `<topic>-<name>`.
 */
export function subjectOf(channel: Channel, options: TopicOptions & Format): string {
  const topic = topicOf(channel, options);
  const isShared = options.layout === "one" && channel !== "dlq" && options.content === "binary";
  return isShared ? `${topic}-${valueSchema(channel, options).name}` : `${topic}-value`;
}

/**
 * Checks every schema before it registers the first. Resolves with the id of each channel's schema. Throws
 * CONFIG_INVALID naming the subject and the registry's reason.
 */
export async function registerSchemas(
  registry: SchemaRegistry,
  options: TopicOptions & Format,
  signal: AbortSignal,
): Promise<SchemaIds> {
  const all: readonly Channel[] = [...CHANNELS, "dlq"];
  const subjects = new Map<string, ValueSchema>();
  for (const channel of all)
    subjects.set(subjectOf(channel, options), valueSchema(channel, options));
  for (const [subject, schema] of subjects) await registry.checkCompatible(subject, schema, signal);
  const ids = new Map<string, number>();
  for (const [subject, schema] of subjects)
    ids.set(subject, await registry.register(subject, schema, signal));
  const idOf = (channel: Channel): number => {
    const id = ids.get(subjectOf(channel, options));
    if (id === undefined) throw new PetrelError("INTERNAL", `no schema for the ${channel}`);
    return id;
  };
  return {
    requests: idOf("requests"),
    responses: idOf("responses"),
    events: idOf("events"),
    alarms: idOf("alarms"),
    notices: idOf("notices"),
    dlq: idOf("dlq"),
  };
}
