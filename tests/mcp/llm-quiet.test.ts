import { expect, test } from "bun:test";
import { join } from "node:path";
import { startLlmSim } from "../../sim/mod.ts";

const ROOT = join(import.meta.dir, "../..");
const KEY = "sk-test-0123456789abcdef";

/** Runs a script in a process of its own: what the libraries read of the environment, they read once. */
async function runScript(script: string, env: Record<string, string>): Promise<string> {
  const child = Bun.spawn([process.execPath, "-e", script], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdout: "pipe",
    stderr: "pipe",
    timeout: 30_000,
  });
  const [out, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  expect(errors).toBe("");
  expect(await child.exited).toBe(0);
  return out.trim();
}

const ask = (options: string) => `
  import { z } from "zod";
  import { makeLlm } from "./mcp/mod.ts";
  const llm = makeLlm(${options});
  const schema = z.strictObject({ summary: z.string() });
  const answer = await llm.explain({ system: "s", prompt: "e1: x", schema }, new AbortController().signal);
  console.log(answer.value.summary);`;

test("prompts go to the named endpoint only, whatever the environment says", async () => {
  await using sim = startLlmSim({ apiKey: KEY });
  const strayed: string[] = [];
  const trap = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      strayed.push(`${request.method} ${new URL(request.url).pathname}`);
      return Response.json({});
    },
  });
  const elsewhere = `http://127.0.0.1:${trap.port}`;
  const env = {
    LANGSMITH_TRACING: "true",
    LANGSMITH_TRACING_V2: "true",
    LANGCHAIN_TRACING: "true",
    LANGCHAIN_TRACING_V2: "true",
    LANGCHAIN_VERBOSE: "true",
    LANGSMITH_API_KEY: "ls-key",
    LANGSMITH_ENDPOINT: elsewhere,
    LANGSMITH_GATEWAY: elsewhere,
    OPENAI_BASE_URL: elsewhere,
    OPENAI_API_BASE: elsewhere,
    OPENAI_ORG_ID: "org",
    OPENAI_LOG: "debug",
    AZURE_OPENAI_BASE_PATH: elsewhere,
    AZURE_OPENAI_ENDPOINT: elsewhere,
  };
  const openai = { openaiApiKey: KEY, openaiBaseUrl: `${sim.url}/v1` };
  const azure = { azureApiKey: KEY, azureEndpoint: sim.url, azureDeployment: "d" };
  for (const options of [openai, azure]) {
    expect(await runScript(ask(JSON.stringify(options)), env)).toBe("As e1 shows: e1: x");
  }
  expect(sim.requests.map(({ provider }) => provider)).toEqual(["openai", "azure"]);
  expect(strayed).toEqual([]);
  await trap.stop(true);
});

test("the model's library is loaded by the first question, not before", async () => {
  await using sim = startLlmSim({ apiKey: KEY });
  const options = JSON.stringify({ openaiApiKey: KEY, openaiBaseUrl: `${sim.url}/v1` });
  const count = `Object.keys(require.cache).filter((path) => path.includes("@langchain")).length`;
  const script = `
    import { z } from "zod";
    import { makeLlm } from "./mcp/mod.ts";
    const llm = makeLlm(${options});
    const before = ${count};
    const schema = z.strictObject({ summary: z.string() });
    await llm.explain({ system: "s", prompt: "e1", schema }, new AbortController().signal);
    console.log(JSON.stringify({ before, loaded: ${count} > 0 }));`;
  expect(JSON.parse(await runScript(script, {}))).toEqual({ before: 0, loaded: true });
});
