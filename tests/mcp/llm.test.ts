import { describe, expect, test } from "bun:test";
import { z } from "zod";
import type { ErrorCode } from "../../core/mod.ts";
import { type Llm, type LlmOptions, makeLlm } from "../../mcp/mod.ts";
import { type LlmSim, type LlmSimMode, startLlmSim } from "../../sim/mod.ts";
import { failureOf } from "../support/failure.ts";

const KEY = "sk-test-0123456789abcdef";
const Explanation = z.strictObject({
  summary: z.string().max(500),
  confidence: z.number().min(0).max(1),
  evidence: z.array(z.string()).max(5),
  location: z.string().max(200).nullable(),
});
const request = {
  system: "You explain incidents. Cite evidence.",
  prompt: "Evidence:\ne1: ts-order hikari pending 14\ne2: ts-order 5xx 0.31\n",
  schema: Explanation,
};
const never = () => new AbortController().signal;

function openai(sim: LlmSim, more: LlmOptions = {}): Llm {
  return ready({
    openaiApiKey: KEY,
    openaiBaseUrl: `${sim.url}/v1`,
    openaiModel: "gpt-4.1-mini",
    ...more,
  });
}

function azure(sim: LlmSim, more: LlmOptions = {}): Llm {
  return ready({
    azureApiKey: KEY,
    azureEndpoint: `${sim.url}/`,
    azureDeployment: "prod-explain",
    ...more,
  });
}

function ready(options: LlmOptions): Llm {
  const llm = makeLlm(options);
  if (llm === undefined) throw new Error("the options name no model");
  return llm;
}

describe("a model that answers", () => {
  for (const [provider, make] of [
    ["openai", openai],
    ["azure", azure],
  ] as const) {
    test(`${provider}: the value, the tokens as billed, and the model's name`, async () => {
      await using sim = startLlmSim({ apiKey: KEY });
      const answer = await make(sim).explain(request, never());
      expect(answer.value.evidence).toEqual(["e1", "e2"]);
      expect(answer.value.summary).toContain("ts-order hikari pending 14");
      expect(answer.tokens).toEqual({ ...sim.tokens });
      expect(answer.tokens.prompt).toBeGreaterThan(0);
      expect(answer.model).toBe(provider === "azure" ? "prod-explain" : "gpt-4.1-mini");
      expect(sim.requests).toEqual([
        expect.objectContaining({ provider, format: "json_schema", maxTokens: 2000 }),
      ]);
      expect(sim.requests[0]?.prompt).toBe(request.prompt);
    });
  }

  test("maxTokens of the request wins", async () => {
    await using sim = startLlmSim({ apiKey: KEY });
    await openai(sim).explain({ ...request, maxTokens: 77 }, never());
    expect(sim.requests[0]?.maxTokens).toBe(77);
  });

  test("a reasoning model gets its bound under the name it knows", async () => {
    await using sim = startLlmSim({ apiKey: KEY });
    await openai(sim, { openaiModel: "gpt-5-mini" }).explain(request, never());
    expect(sim.requests[0]?.maxTokens).toBe(2000);
  });

  test("the schema that is sent is strict; lengths, which strict mode refuses, are told in words", async () => {
    await using sim = startLlmSim({ apiKey: KEY });
    const schema = z.strictObject({
      maxLength: z.string().min(1).max(9).describe("A name."),
      list: z.array(z.strictObject({ n: z.int().min(1).max(3) })).max(2),
    });
    await openai(sim, {})
      .explain({ ...request, schema }, never())
      .catch(() => undefined);
    expect(sim.requests[0]?.schema).toEqual({
      type: "object",
      additionalProperties: false,
      required: ["maxLength", "list"],
      properties: {
        maxLength: {
          type: "string",
          description: "A name. At least 1 characters. At most 9 characters.",
        },
        list: {
          type: "array",
          maxItems: 2,
          items: {
            type: "object",
            additionalProperties: false,
            required: ["n"],
            properties: { n: { type: "integer", minimum: 1, maximum: 3 } },
          },
        },
      },
    });
  });

  test("nothing is sent before the first question", async () => {
    await using sim = startLlmSim({ apiKey: KEY });
    expect(openai(sim).name).toBe("openai:gpt-4.1-mini");
    expect(azure(sim).name).toBe("azure:prod-explain");
    expect(sim.calls).toBe(0);
  });

  test("an endpoint without json_schema gets json_object, and is not asked for more again", async () => {
    await using sim = startLlmSim({ apiKey: KEY });
    sim.mode = "no_json_schema";
    const llm = openai(sim);
    const first = await llm.explain(request, never());
    expect(first.value.evidence).toEqual(["e1", "e2"]);
    expect(sim.calls).toBe(2);
    await llm.explain(request, never());
    expect(sim.calls).toBe(3);
    expect(sim.requests.map(({ format }) => format)).toEqual(["json_object", "json_object"]);
  });
});

describe("a model that fails", () => {
  const cases: readonly [LlmSimMode, ErrorCode, Record<string, unknown>][] = [
    ["refuse", "QUERY_REFUSED", { message: "I'm sorry, I can't assist with that request." }],
    ["content_filter", "QUERY_REFUSED", { message: "content filter" }],
    ["outside_schema", "PROTOCOL_VIOLATION", { place: "summary" }],
    ["not_json", "PROTOCOL_VIOLATION", { place: "content" }],
    ["length", "TOO_LARGE", { limit: 2000 }],
    ["context_length", "TOO_LARGE", { limit: "the model's context" }],
    ["unauthorized", "UNAUTHENTICATED", { status: 401 }],
    ["rate_limited", "OVERLOADED", { status: 429 }],
    ["server_error", "UNAVAILABLE", { status: 500 }],
    ["cut", "INCOMPLETE", {}],
  ];
  for (const [mode, code, fields] of cases) {
    for (const [provider, make] of [
      ["openai", openai],
      ["azure", azure],
    ] as const) {
      test(`${provider} ${mode}: ${code}, asked once`, async () => {
        await using sim = startLlmSim({ apiKey: KEY });
        sim.mode = mode;
        const error = await failureOf(make(sim).explain(request, never()));
        expect(error.code).toBe(code);
        expect(error.fields).toMatchObject(fields);
        expect(sim.calls).toBe(1);
        expect(JSON.stringify(error)).not.toContain(KEY);
      });
    }
  }

  test("json_object: a wrong shape is named, and not asked again", async () => {
    await using sim = startLlmSim({ apiKey: KEY, answer: () => ({ summary: 7 }) });
    sim.mode = "no_json_schema";
    const error = await failureOf(openai(sim).explain(request, never()));
    expect(error.code).toBe("PROTOCOL_VIOLATION");
    expect(error.fields["place"]).toBe("summary");
    expect(sim.calls).toBe(2);
  });

  test("silence: DEADLINE_EXCEEDED after our own deadline", async () => {
    await using sim = startLlmSim({ apiKey: KEY });
    sim.mode = "timeout";
    const error = await failureOf(openai(sim, { timeoutMs: 150 }).explain(request, never()));
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    expect(sim.calls).toBe(1);
  });

  test("the caller's abort: CANCELLED", async () => {
    await using sim = startLlmSim({ apiKey: KEY });
    sim.mode = "timeout";
    const controller = new AbortController();
    const answer = openai(sim).explain(request, controller.signal);
    controller.abort();
    expect((await failureOf(answer)).code).toBe("CANCELLED");
  });

  test("a wrong key and an unknown model", async () => {
    await using sim = startLlmSim({ apiKey: KEY, models: ["gpt-4.1-mini"] });
    const wrong = openai(sim, { openaiApiKey: "sk-wrong-0123456789" });
    const error = await failureOf(wrong.explain(request, never()));
    expect(error.code).toBe("UNAUTHENTICATED");
    const missing = openai(sim, { openaiModel: "gpt-none" });
    expect((await failureOf(missing.explain(request, never()))).fields["message"]).toContain(
      "gpt-none",
    );
  });

  test("nobody there: UNAVAILABLE", async () => {
    const sim = startLlmSim({ apiKey: KEY });
    await sim[Symbol.asyncDispose]();
    expect((await failureOf(openai(sim).explain(request, never()))).code).toBe("UNAVAILABLE");
  });

  test("a schema strict mode refuses is our defect, and nothing is sent", async () => {
    await using sim = startLlmSim({ apiKey: KEY });
    const schema = z.strictObject({ a: z.strictObject({ b: z.string().optional() }) });
    const error = await failureOf(openai(sim).explain({ ...request, schema }, never()));
    expect(error.code).toBe("INTERNAL");
    expect(error.fields["place"]).toBe("schema.properties.a.b");
    expect(sim.calls).toBe(0);
  });
});

describe("options", () => {
  test("no key and no address name no model", () => {
    expect(makeLlm({})).toBeUndefined();
    expect(makeLlm({ openaiApiKey: "" })).toBeUndefined();
  });

  test("a local endpoint needs no key", () => {
    const llm = makeLlm({ openaiBaseUrl: "http://127.0.0.1:11434/v1", openaiModel: "qwen3" });
    expect(llm?.name).toBe("openai:qwen3");
  });

  const wrong: readonly [LlmOptions, string][] = [
    [{ openaiApiKey: KEY, openaiBaseUrl: "localhost:11434" }, "llm.openaiBaseUrl"],
    [{ azureApiKey: KEY }, "llm.azureEndpoint"],
    [
      { azureApiKey: KEY, azureInstanceName: "evil.example.com/", azureDeployment: "d" },
      "llm.azureInstanceName",
    ],
    [{ azureApiKey: KEY, azureInstanceName: "petrel" }, "llm.azureDeployment"],
    [
      { azureApiKey: KEY, azureInstanceName: "petrel", azureDeployment: "a/../b" },
      "llm.azureDeployment",
    ],
  ];
  for (const [options, path] of wrong) {
    test(`${path} is named`, () => {
      expect(() => makeLlm(options)).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID", fields: { path } }),
      );
    });
  }
});
