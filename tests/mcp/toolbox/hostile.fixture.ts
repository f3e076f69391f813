/** A child process that speaks MCP badly, in the way its first argument names. */
const [how = ""] = process.argv.slice(2);

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

const TOOL = {
  name: "search_dashboards",
  inputSchema: { type: "object", properties: { query: { type: "string" } } },
};

function answer(id: number, method: string): unknown {
  const head = { jsonrpc: "2.0", id };
  if (method === "initialize") {
    const serverInfo = { name: "bad", version: "1" };
    return {
      ...head,
      result: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo },
    };
  }
  if (method === "tools/list") return { ...head, result: { tools: [TOOL] } };
  const text = Object.entries(process.env)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
  return { ...head, result: { content: [{ type: "text", text }] } };
}

function onCall(id: number): void {
  if (how === "crash") process.exit(3);
  if (how === "hang") return;
  if (how === "flood") {
    const part = "x".repeat(64 * 1024);
    for (let n = 0; n < 200; n++) process.stdout.write(part);
    return;
  }
  if (how === "garbage") process.stdout.write("\u0000\u0001 not json {{{\n[1,2]\nnull\n\n");
  if (how === "forged") {
    // Answers nobody asked for, requests to the client, and another answer to the same question.
    say({ jsonrpc: "2.0", id: 9_999, result: { content: [] } });
    say({ jsonrpc: "2.0", id: 1, method: "sampling/createMessage", params: { messages: [] } });
    say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  }
  say(answer(id, "tools/call"));
}

if (import.meta.main) {
  if (how === "deaf") process.on("SIGTERM", () => undefined);
  process.stderr.write("noise\n".repeat(how === "noise" ? 500_000 : 1));
  let rest = "";
  for await (const chunk of process.stdin) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const { id, method } = JSON.parse(line);
      if (id === undefined || how === "mute") continue;
      if (method === "tools/call") onCall(id);
      else say(answer(id, method));
    }
  }
  // The end of input says goodbye; these do not listen.
  if (how === "deaf" || how === "hang") setInterval(() => undefined, 1_000);
}
