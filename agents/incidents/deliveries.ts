/** How far an incident's notices got with its sinks, by its timeline. Pure. */
import type { Delivery, Incident } from "./record.ts";

/** A change that a sink never took. */
export interface DeadDelivery {
  readonly seq: number;
  readonly sink: string;
}

/** What is dead, in the order of the changes; at one sink alone if it is named. */
export function deadOf({ timeline }: Incident, sink?: string): DeadDelivery[] {
  return timeline.flatMap(({ seq, deliveries }) =>
    Object.entries(deliveries)
      .filter(([name, state]) => state === "dead" && (sink === undefined || name === sink))
      .map(([name]) => ({ seq, sink: name })),
  );
}

/** The incident with a delivery that was `from` and is `to`. Whoever was first has said how it ended. */
export function marked(
  incident: Incident,
  { seq, sink }: DeadDelivery,
  from: Delivery,
  to: Delivery,
): Incident {
  const timeline = incident.timeline.map((entry) =>
    entry.seq === seq && entry.deliveries[sink] === from
      ? { ...entry, deliveries: { ...entry.deliveries, [sink]: to } }
      : entry,
  );
  return { ...incident, timeline };
}
