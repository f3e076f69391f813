/** Which topic a record goes to. */

export interface TopicOptions {
  /** Such as `petrel.audit`. */
  readonly prefix: string;
  /** split: one topic per channel; one: all channels but the parked ones in `prefix`. */
  readonly layout: "split" | "one";
}

export const CHANNELS = ["requests", "responses", "events", "alarms", "notices"] as const;
export type Channel = (typeof CHANNELS)[number] | "dlq";

/** Every topic that records go to, each once: those of the channels, and `<prefix>.dlq`. */
export function topicsOf({ prefix, layout }: TopicOptions): string[] {
  const shared = layout === "one" ? [prefix] : CHANNELS.map((channel) => `${prefix}.${channel}`);
  return [...shared, `${prefix}.dlq`];
}

export function topicOf(channel: Channel, { prefix, layout }: TopicOptions): string {
  return layout === "split" || channel === "dlq" ? `${prefix}.${channel}` : prefix;
}

/** The channel of an event by its type; what is of no known type is a notice. */
export function channelOf(type: string): Channel {
  if (type.endsWith(".request.v1")) return "requests";
  if (type.endsWith(".response.v1")) return "responses";
  if (type.endsWith(".event.v1")) return "events";
  if (type === "petrel.alarm.v1") return "alarms";
  return type === "petrel.audit.poison.v1" ? "dlq" : "notices";
}

/** True for channels whose data are notices, the others' being bodies of envelopes. */
export function holdsNotices(channel: Channel): boolean {
  return channel === "notices" || channel === "dlq";
}
