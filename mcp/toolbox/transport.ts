/**
 * What both transports have in common. A server is never served: only answers to what was asked are let
 * in, and everything that is read is bounded.
 */
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import type { PetrelError } from "../../core/mod.ts";
import { isJson } from "./words.ts";

/** A transport that can say why it ended. */
export interface BoundedTransport extends Transport {
  /** Why it cannot be used any more. */
  readonly failure: PetrelError | undefined;
  /** Whether one failed call makes it useless: a pipe whose child hangs, against a URL. */
  readonly isPipe: boolean;
}

export type MessageId = string | number;

/** The id of a request; undefined for a notification. */
export function requestId(message: JSONRPCMessage): MessageId | undefined {
  return "method" in message && "id" in message ? message.id : undefined;
}

/** The id that a notification of the client's withdraws. */
export function cancelledId(message: JSONRPCMessage): MessageId | undefined {
  if (!("method" in message) || message.method !== "notifications/cancelled") return undefined;
  const id = isJson(message.params) ? message.params["requestId"] : undefined;
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}

/** An answer to what was asked. What else a server says (requests, notifications) is not for us. */
export function answerTo(
  value: unknown,
  isAsked: (id: MessageId) => boolean,
): JSONRPCMessage | undefined {
  return isAnswer(value) && isAsked(value.id) ? value : undefined;
}

/** The protocol checks the result itself, against the schema of what was asked. */
function isAnswer(value: unknown): value is JSONRPCMessage & { id: MessageId } {
  if (!isJson(value) || value["jsonrpc"] !== "2.0") return false;
  const { id, result, error } = value;
  return (typeof id === "string" || typeof id === "number") && (isJson(result) || isJson(error));
}
