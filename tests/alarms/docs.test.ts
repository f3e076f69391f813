/** docs/alarms.md holds what the code makes; `bun tests/alarms/examples.ts` writes it anew. */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { parseConfig } from "../../core/mod.ts";
import { blockOf, DOC_FILE, EXAMPLE_SECRET, EXAMPLES, exampleBlock } from "./examples.ts";

const DOC = await Bun.file(DOC_FILE).text();

test.each(Object.keys(EXAMPLES))("the example of %s is what the sink sends", (sink) => {
  expect(blockOf(DOC, sink)).toBe(exampleBlock(sink));
});

test("every sink has an example", () => {
  const shown = [...DOC.matchAll(/^### (\w+)$/gm)].map(([, sink]) => sink);
  expect(shown).toEqual(Object.keys(EXAMPLES));
});

test("its configuration is one", () => {
  const [, yaml = ""] = /```yaml\n([\s\S]*?)```/.exec(DOC) ?? [];
  const names = [...yaml.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name ?? "");
  const values = names.map((name) => [name, "https://h.example/x"]);
  const env = { ...Object.fromEntries(values), PETREL_WEBHOOK_SECRET: EXAMPLE_SECRET };
  const { alarms } = parseConfig(yaml, env, "docs/alarms.md");
  for (const sink of Object.keys(EXAMPLES)) expect(alarms).toHaveProperty(sink);
});

type Verify = (headers: Headers, body: string, secret: string, nowS: number) => boolean;
const Verifier = z.object({
  isFromPetrel: z.custom<Verify>((value) => typeof value === "function"),
});

test("its verifier takes the example, and nothing else", async () => {
  const [, code = ""] = /```ts\n([\s\S]*?)```/.exec(DOC) ?? [];
  const dir = await mkdtemp(join(tmpdir(), "petrel-verify-"));
  await Bun.write(join(dir, "verify.ts"), code);
  const { isFromPetrel } = Verifier.parse(await import(join(dir, "verify.ts")));
  await rm(dir, { recursive: true });
  const [, head = ""] = EXAMPLES["webhook"] ?? [];
  const lines = head
    .split("\n")
    .slice(1)
    .map((line) => line.split(": "));
  const headers = new Headers(lines.map(([name = "", value = ""]) => [name, value]));
  const [, body = ""] = EXAMPLES["jsonl"] ?? [];
  const nowS = Number(headers.get("webhook-timestamp"));
  expect(isFromPetrel(headers, body, EXAMPLE_SECRET, nowS)).toBe(true);
  expect(isFromPetrel(headers, `${body} `, EXAMPLE_SECRET, nowS)).toBe(false);
  expect(isFromPetrel(headers, body, EXAMPLE_SECRET, nowS + 600)).toBe(false);
  expect(isFromPetrel(headers, body, "whsec_AAAA", nowS)).toBe(false);
});
