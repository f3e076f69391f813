/** The parameters of requests: what passes is read as it was meant, the rest is refused by its field. */
import { describe, expect, test } from "bun:test";
import { RequestMalformedError } from "@a2a-js/sdk/errors";
import * as fc from "fast-check";
import { METHODS } from "../../a2a/mod.ts";
import { checkParams } from "../../a2a/params.ts";
import { mutated, requestOf, variantOf } from "./params-arbitrary.ts";
import { THROUGH } from "./params-codec.ts";
import { canonical, type Method } from "./params-model.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

/** Why the parameters are refused; undefined when they pass. */
function refusalOf(method: Method, params: unknown): string | undefined {
  try {
    checkParams(method, params);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(RequestMalformedError);
    return (error as Error).message;
  }
}

const overJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe.each(METHODS)("%s", (method) => {
  test("however a request is written, it is read as it was meant", () => {
    const written = requestOf(method).chain((request) =>
      variantOf(method, request).map((variant) => ({ request, variant })),
    );
    fc.assert(
      fc.property(written, ({ request, variant }) => {
        const params = overJson(variant);
        expect(refusalOf(method, params)).toBeUndefined();
        expect(overJson(THROUGH[method](params))).toEqual(overJson(request));
        expect(canonical(method, params)).toEqual(overJson(request));
      }),
      { seed, numRuns: 300 },
    );
  });

  test("whatever is done to a request, it is read as ProtoJSON has it, or refused by its field", () => {
    const broken = requestOf(method)
      .chain((request) => variantOf(method, request))
      .chain(mutated);
    fc.assert(
      fc.property(broken, (variant) => {
        const params = overJson(variant);
        const refusal = refusalOf(method, params);
        if (refusal !== undefined) expect(refusal).toStartWith("params");
        else expect(overJson(THROUGH[method](params))).toEqual(canonical(method, params));
      }),
      { seed, numRuns: 1_000 },
    );
  });

  test("anything at all is read or refused, and nothing else happens", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (params) => {
        refusalOf(method, params);
      }),
      { seed, numRuns: 500 },
    );
  });
});

const message = { messageId: "m", role: "ROLE_USER", parts: [{ text: "x" }] };
const withPart = (part: unknown) => ({ message: { ...message, parts: [part] } });
const withConfiguration = (configuration: unknown) => ({ message, configuration });
const nested = (levels: number): unknown => {
  let value: unknown = "deep";
  for (let level = 0; level < levels; level++) value = level % 2 ? { value } : [value];
  return value;
};

test.each<[Method, unknown, string]>([
  ["SendMessage", undefined, "params: must be an object"],
  ["SendMessage", [message], "params: must be an object"],
  ["SendMessage", {}, "params.message: is required"],
  ["SendMessage", { message: { ...message, messageId: "" } }, "params.message.messageId: is empty"],
  [
    "SendMessage",
    { message: { ...message, messageId: 7 } },
    "params.message.messageId: must be a text",
  ],
  ["SendMessage", { message: { ...message, parts: [] } }, "params.message.parts: is empty"],
  ["SendMessage", { message: { ...message, parts: {} } }, "params.message.parts: must be a list"],
  [
    "SendMessage",
    { message: { ...message, role: "user" } },
    "params.message.role: must be one of ROLE_USER, ROLE_AGENT",
  ],
  [
    "SendMessage",
    { message: { ...message, role: 0 } },
    "params.message.role: must be one of ROLE_USER, ROLE_AGENT",
  ],
  ["SendMessage", { message: { ...message, role: undefined } }, "params.message.role: is required"],
  [
    "SendMessage",
    { message: { ...message, message_id: "n" } },
    "params.message.messageId: is there twice, as message_id too",
  ],
  [
    "SendMessage",
    { message: { ...message, contextId: "c".repeat(513) } },
    "params.message.contextId: more than 512 characters",
  ],
  [
    "SendMessage",
    { message: { ...message, parts: Array.from({ length: 1_001 }, () => ({ text: "x" })) } },
    "params.message.parts: more than 1000 elements",
  ],
  [
    "SendMessage",
    { message: { ...message, extensions: ["a", null] } },
    "params.message.extensions[1]: must be a text",
  ],
  [
    "SendMessage",
    { message: { ...message, metadata: ["a"] } },
    "params.message.metadata: must be an object",
  ],
  ["SendMessage", { message, metadata: { a: nested(70) } }, "more than 64 levels"],
  ["SendMessage", withPart({}), "params.message.parts[0]: exactly one of text, raw, url, data"],
  [
    "SendMessage",
    withPart({ data: null }),
    "params.message.parts[0]: exactly one of text, raw, url, data",
  ],
  [
    "SendMessage",
    withPart({ text: "a", url: "b" }),
    "params.message.parts[0]: exactly one of text, raw, url, data",
  ],
  ["SendMessage", withPart(null), "params.message.parts[0]: must be an object"],
  ["SendMessage", withPart({ text: 1 }), "params.message.parts[0].text: must be a text"],
  ["SendMessage", withPart({ text: "\ud800" }), "params.message.parts[0].text: is no Unicode"],
  ["SendMessage", withPart({ raw: "no base64!" }), "params.message.parts[0].raw: must be base64"],
  ["SendMessage", withPart({ raw: "QUJDR" }), "params.message.parts[0].raw: must be base64"],
  [
    "SendMessage",
    withPart({ data: { a: [0, { "\udc00": 1 }] } }),
    "params.message.parts[0].data.a[1].\ufffd: its name is no Unicode",
  ],
  [
    "SendMessage",
    withPart({ data: JSON.parse("1e999") }),
    "params.message.parts[0].data: is too large a number",
  ],
  [
    "SendMessage",
    withConfiguration({ returnImmediately: "false" }),
    "params.configuration.returnImmediately: must be true or false",
  ],
  [
    "SendMessage",
    withConfiguration({ historyLength: -1 }),
    "params.configuration.historyLength: must be a whole number from 0",
  ],
  [
    "SendMessage",
    withConfiguration({ historyLength: "" }),
    "params.configuration.historyLength: must be a whole number from 0",
  ],
  [
    "SendMessage",
    withConfiguration({ taskPushNotificationConfig: {} }),
    "params.configuration.taskPushNotificationConfig.url: is required",
  ],
  ["GetTask", {}, "params.id: is required"],
  ["GetTask", { id: { $ne: "" } }, "params.id: must be a text"],
  [
    "GetTask",
    { id: "t", historyLength: 1.5 },
    "params.historyLength: must be a whole number from 0",
  ],
  [
    "GetTask",
    { id: "t", historyLength: 2 ** 31 },
    "params.historyLength: must be a whole number from 0",
  ],
  ["ListTasks", { pageSize: "ten" }, "params.pageSize: must be a whole number from 0"],
  [
    "ListTasks",
    { status: "WORKING" },
    "params.status: must be one of TASK_STATE_UNSPECIFIED, TASK_STATE_SUBMITTED",
  ],
  ["ListTasks", { status: 9 }, "params.status: must be one of"],
  [
    "ListTasks",
    { statusTimestampAfter: "2026-02-30T00:00:00Z" },
    "params.statusTimestampAfter: must be a time in UTC",
  ],
  [
    "ListTasks",
    { statusTimestampAfter: "2026-02-01T00:00:00+01:00" },
    "params.statusTimestampAfter: must be a time in UTC",
  ],
  [
    "ListTasks",
    { statusTimestampAfter: 1_700_000_000 },
    "params.statusTimestampAfter: must be a time in UTC",
  ],
  ["ListTasks", { includeArtifacts: "no" }, "params.includeArtifacts: must be true or false"],
  ["CancelTask", { id: null }, "params.id: is required"],
  ["SubscribeToTask", { id: "" }, "params.id: is empty"],
  ["CreateTaskPushNotificationConfig", { taskId: "t" }, "params.url: is required"],
  [
    "CreateTaskPushNotificationConfig",
    { taskId: "t", url: "https://x", authentication: {} },
    "params.authentication.scheme: is required",
  ],
  ["GetTaskPushNotificationConfig", { taskId: "t" }, "params.id: is required"],
  ["ListTaskPushNotificationConfigs", { id: "t" }, "params.taskId: is required"],
  ["GetExtendedAgentCard", { tenant: 1 }, "params.tenant: must be a text"],
])("%s of %j is refused: %s", (method, params, words) => {
  expect(refusalOf(method, params)).toContain(words);
});

test("what others write is taken: other names, other forms, what is newer than we are", () => {
  const params = {
    message: {
      message_id: "m",
      role: 1,
      parts: [{ data: nested(60), kind: "data" }],
      taskId: null,
    },
    configuration: { history_length: "1e1", blocking: true },
  };
  expect(refusalOf("SendMessage", params)).toBeUndefined();
  expect(refusalOf("GetExtendedAgentCard", undefined)).toBeUndefined();
  expect(
    refusalOf("ListTasks", { status: 2, statusTimestampAfter: "2026-02-01T00:00:00Z" }),
  ).toBeUndefined();
});

test("a value is never repeated: it may be a secret", () => {
  const url = "https://hooks.example";
  const params = { taskId: "t", url, token: ["s3cret"], authentication: { scheme: "Bearer" } };
  expect(refusalOf("CreateTaskPushNotificationConfig", params)).toBe(
    "params.token: must be a text",
  );
});
