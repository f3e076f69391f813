/** A child process with one tool, which shows its environment. */
import { z } from "zod";
import { defineTool, serveMcpStdio } from "../../mcp/mod.ts";

if (import.meta.main) {
  const shown = defineTool({
    name: "shown",
    title: "Shown",
    description: "Shows the environment.",
    input: z.strictObject({}),
    output: z.strictObject({}),
    readOnly: true,
    run: () => {
      const text = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
      return Promise.resolve({ output: {}, text: text.join("\n") });
    },
  });
  const server = await serveMcpStdio([shown]);
  await server.closed;
}
