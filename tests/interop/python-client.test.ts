/** The Python SDK's client, over HTTP, through the gateway, to an agent on NATS. */
import { afterAll, beforeAll, expect } from "bun:test";
import { runPython, testWithPython } from "./python.ts";
import { type InteropStand, startInterop } from "./stand.ts";

const testPython = await testWithPython();

let interop: InteropStand;
beforeAll(async () => {
  interop = await startInterop();
});
afterAll(() => interop[Symbol.asyncDispose]());

/** ListTasks is not in A2A 0.3. */
const LIST = "list: 2 of 5, more";

testPython.each([
  ["JSONRPC", "1.0", []],
  ["HTTP+JSON", "1.0", []],
  ["JSONRPC", "0.3", [".well-known/agent.json"]],
] as const)(
  "send, stream, leave, resubscribe, cancel and be refused over %s, A2A %s",
  async (binding, version, card) => {
    const seen: unknown = JSON.parse(await runPython("client.py", interop.url, binding, ...card));
    expect(seen).toEqual([
      'send: COMPLETED "That was all." [ahoy there]',
      "send again: the same task",
      "stream: task WORKING",
      'stream: WORKING "word 1 of 2"',
      "stream: artifact echo [one]",
      'stream: WORKING "word 2 of 2"',
      "stream: artifact echo [two] append last",
      'stream: COMPLETED "That was all."',
      'ask: INPUT_REQUIRED "What shall I say?"',
      'reply: COMPLETED "That was all." [this]',
      'get: COMPLETED "That was all." [this], history 1',
      "subscribe: task, what was said is there",
      "subscribe: artifact echo [c] append last",
      'subscribe: COMPLETED "That was all."',
      'get: COMPLETED "That was all." [a b c]',
      'cancel: CANCELED "cancelled by its caller"',
      "get none: TaskNotFoundError",
      "cancel none: TaskNotFoundError",
      "cancel ended: TaskNotCancelableError",
      "subscribe to none: TaskNotFoundError",
      "subscribe to ended: UnsupportedOperationError",
      "send to ended: UnsupportedOperationError",
      "send nothing: InvalidParamsError",
      ...(version === "0.3" ? [] : [LIST]),
    ]);
  },
);
