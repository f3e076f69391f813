import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { z } from "zod";
import { startLlmSim } from "../../sim/mod.ts";

const KEY = "sk-test-0123456789abcdef";
const SEED = Number(process.env["PETREL_TEST_SEED"]);

function chat(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

function requestFor(schema: z.ZodType, prompt: string) {
  return {
    model: "m",
    messages: [
      { role: "system", content: "s" },
      { role: "user", content: prompt },
    ],
    response_format: {
      type: "json_schema",
      json_schema: { name: "answer", strict: true, schema: z.toJSONSchema(schema) },
    },
  };
}

const Completion = z.object({
  choices: z.tuple([z.object({ message: z.object({ content: z.string() }) })]),
});

const Answer = z.strictObject({
  kind: z.enum(["a", "b"]),
  evidence: z.array(z.string().regex(/^e\d+$/)).max(2),
  weight: z.number().min(0.5).max(1),
  count: z.int().min(3).max(4),
  inner: z.strictObject({ text: z.string(), sure: z.boolean() }).nullable(),
  list: z.array(z.strictObject({ text: z.string() })).min(2),
});

describe("the stand-in of a model", () => {
  test("any prompt gets an answer of the schema, citing only ids that are in the prompt", async () => {
    await using sim = startLlmSim({ apiKey: KEY });
    const ids = fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(ids, fc.string(), async (numbers, noise) => {
        const prompt = `${numbers.map((n) => `e${n}: something`).join("\n")}\n${noise}`;
        const response = await chat(`${sim.url}/v1/chat/completions`, requestFor(Answer, prompt), {
          authorization: `Bearer ${KEY}`,
        });
        const { choices } = Completion.parse(await response.json());
        const answer = Answer.parse(JSON.parse(choices[0].message.content));
        for (const id of answer.evidence) expect(prompt).toContain(id);
        expect(answer.evidence.length).toBeGreaterThanOrEqual(Math.min(2, numbers.length));
      }),
      { seed: SEED, numRuns: 50 },
    );
    expect(sim.calls).toBe(50);
  });

  test("a scripted answer is a function of the request", async () => {
    await using sim = startLlmSim({
      apiKey: KEY,
      answer: ({ prompt, model }) => ({ said: `${model}:${prompt}` }),
    });
    const response = await chat(`${sim.url}/v1/chat/completions`, requestFor(Answer, "hello"), {
      authorization: `Bearer ${KEY}`,
    });
    const { choices } = Completion.parse(await response.json());
    expect(JSON.parse(choices[0].message.content)).toEqual({ said: "m:hello" });
  });

  test("Azure: api-key, and an API version in the address", async () => {
    await using sim = startLlmSim({ apiKey: KEY });
    const address = `${sim.url}/openai/deployments/dep/chat/completions`;
    const without = await chat(address, requestFor(Answer, ""), { "api-key": KEY });
    expect(without.status).toBe(404);
    const withKey = await chat(`${address}?api-version=2024-10-21`, requestFor(Answer, ""), {
      "api-key": KEY,
    });
    expect(withKey.status).toBe(200);
    const bearer = await chat(`${address}?api-version=2024-10-21`, requestFor(Answer, ""), {
      authorization: `Bearer ${KEY}`,
    });
    expect(bearer.status).toBe(401);
  });

  test("a body it cannot read, a stream, and a wrong key are refused and counted", async () => {
    await using sim = startLlmSim({ apiKey: KEY });
    const address = `${sim.url}/v1/chat/completions`;
    const headers = { authorization: `Bearer ${KEY}` };
    expect((await chat(address, { messages: [] }, headers)).status).toBe(400);
    const streamed = { ...requestFor(Answer, ""), stream: true };
    expect((await chat(address, streamed, headers)).status).toBe(400);
    expect((await chat(address, requestFor(Answer, ""))).status).toBe(401);
    expect(sim.calls).toBe(3);
    expect(sim.requests).toEqual([]);
    expect(sim.tokens).toEqual({ prompt: 0, completion: 0 });
  });
});
