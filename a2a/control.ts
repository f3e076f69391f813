/**
 * Orders between an agent's replicas, about the tasks one of them runs: `ping`, and `cancel` with the
 * owner and the task. Permissions keep the subject to the agent's own replicas.
 */
import type { Msg, NatsConnection } from "@nats-io/nats-core";
import type { Logger } from "../core/mod.ts";
import { controlSubject } from "./subjects.ts";
import type { TaskPlace } from "./tasks/log.ts";

const CONTROL_TIMEOUT_MS = 5_000;
const ORDER_CHARS_MAX = 400;

/** Asks a replica to cancel a task it runs; true when the task has ended by it. */
export async function orderCancel(
  options: { readonly nc: NatsConnection; readonly agent: string; readonly log: Logger },
  instance: string,
  { owner, taskId }: TaskPlace,
): Promise<boolean> {
  const { nc, agent, log } = options;
  try {
    const order = `cancel ${owner} ${taskId}`;
    const answer = await nc.request(controlSubject(agent, instance), order, {
      timeout: CONTROL_TIMEOUT_MS,
    });
    return answer.string() === "cancelled";
  } catch (error) {
    log.warn("cancel.owner_gone", { instance, taskId, error });
    return false;
  }
}

/** Answers an order: `alive`, `cancelled` when the task has ended by it, or `unknown`. */
export async function obey(
  message: Msg,
  cancelHere: (place: TaskPlace) => Promise<boolean>,
): Promise<void> {
  const [verb, owner = "", taskId = ""] = message.string().slice(0, ORDER_CHARS_MAX).split(" ");
  if (verb === "ping") message.respond("alive");
  else if (verb !== "cancel") message.respond("unknown");
  else message.respond((await cancelHere({ owner, taskId })) ? "cancelled" : "unknown");
}
