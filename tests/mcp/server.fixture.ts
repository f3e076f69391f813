/** Tools that do one odd thing each, for the tests of the MCP server; run directly, it serves stdio. */
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";
import { defineTool, serveMcpStdio, type ToolDefinition } from "../../mcp/mod.ts";

/** Resolved with "stopped" when a call of `wait_for_ever` saw its signal. */
export const stopped = Promise.withResolvers<"stopped">();

export const tools: readonly ToolDefinition[] = [
  defineTool({
    name: "add",
    title: "Add",
    description: "Adds two numbers.",
    input: z.strictObject({ a: z.number(), b: z.number().default(1) }),
    output: z.strictObject({ sum: z.number() }),
    readOnly: true,
    run: ({ a, b }) => Promise.resolve({ output: { sum: a + b }, text: "The sum." }),
  }),
  defineTool({
    name: "list_some",
    title: "List some",
    description: "Lists numbers up to a bound.",
    input: z.strictObject({ rowsMax: z.int().min(1).max(100) }),
    output: z.strictObject({ rows: z.array(z.number()) }),
    readOnly: true,
    run: ({ rowsMax }) =>
      Promise.resolve({
        output: { rows: Array.from({ length: rowsMax }, (_, at) => at) },
        omitted: { what: "rows", count: 100 - rowsMax, bound: `rowsMax ${rowsMax}` },
      }),
  }),
  defineTool({
    name: "fail",
    title: "Fail",
    description: "Fails as it is told to.",
    input: z.strictObject({ how: z.enum(["refused", "busy", "defect", "lie", "flood"]) }),
    output: z.strictObject({ text: z.string() }),
    readOnly: true,
    run: ({ how }) => {
      if (how === "refused")
        throw new PetrelError("QUERY_REFUSED", "splunk refused: no such index");
      if (how === "busy") throw new PetrelError("OVERLOADED", "splunk is too busy");
      if (how === "defect") throw new Error("/etc/secret/path was not found");
      const lie = { text: 7 as unknown as string };
      return Promise.resolve({ output: how === "lie" ? lie : { text: "x".repeat(1_000_000) } });
    },
  }),
  defineTool({
    name: "wait_for_ever",
    title: "Wait",
    description: "Waits until it is stopped.",
    input: z.strictObject({}),
    output: z.strictObject({}),
    readOnly: true,
    run: (_input, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          stopped.resolve("stopped");
          reject(new PetrelError("CANCELLED", "stopped"));
        });
      }),
  }),
  defineTool({
    name: "annotate",
    title: "Annotate",
    description: "Changes something.",
    input: z.strictObject({}),
    output: z.strictObject({ done: z.boolean() }),
    readOnly: false,
    run: () => Promise.resolve({ output: { done: true } }),
  }),
];

if (import.meta.main) {
  const server = await serveMcpStdio(tools, { name: "petrel-test" });
  await server.closed;
}
