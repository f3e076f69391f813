/** The mesh's tools by themselves: what they ask of the port, their bounds, and texts that are hostile. */
import { expect, test } from "bun:test";
import { PetrelError } from "../../core/mod.ts";
import {
  type Asked,
  type MeshPort,
  makeToolHost,
  meshTools,
  type TaskView,
} from "../../mcp/mod.ts";

const never = new AbortController().signal;
const TASK: TaskView = { agent: "sre", taskId: "t1", state: "working", text: "", updatedAt: "" };

function agent(name: string) {
  return { agent: name, description: "", version: "1.0.0", skills: [], replicas: [] };
}

/** A port that answers with nothing, and keeps what it was asked. */
function portOf(more: Partial<MeshPort> = {}) {
  const calls: unknown[][] = [];
  const kept =
    <T>(answer: T) =>
    async (...args: unknown[]): Promise<T> => {
      calls.push(args.slice(0, -1));
      return answer;
    };
  const asked: Asked = { state: "completed", taskId: "t2", text: "All quiet." };
  const port: MeshPort = {
    agents: kept([]),
    investigate: kept(TASK),
    task: kept(undefined),
    incidents: kept({ incidents: [], isCut: false }),
    incident: async () => {
      throw new PetrelError("QUERY_REFUSED", "no such incident");
    },
    pending: kept({ tasks: [], running: [], windows: [], incidents: [], unread: [] }),
    ask: kept(asked),
    ...more,
  };
  return { host: makeToolHost(meshTools(port)), calls };
}

test("defaults reach the port: all services, half a minute, every state", async () => {
  const { host, calls } = portOf();
  const window = { from: "2026-11-21T14:40:00Z", to: "2026-11-21T14:45:00+00:00" };
  await host.call("start_investigation", window, never);
  await host.call("ask_petrel", { question: "why?" }, never);
  await host.call("list_incidents", {}, never);
  const startMs = Date.parse("2026-11-21T14:40:00Z");
  expect(calls).toEqual([
    [{ startMs, endMs: startMs + 300_000, services: [] }, 30_000],
    ["why?", undefined, 30_000],
    [{ states: [], service: undefined, limit: 20 }],
  ]);
});

test("more agents than fit are cut, and that is said", async () => {
  const agents = Array.from({ length: 150 }, (_, at) => agent(`a${at}`));
  const { host } = portOf({ agents: async () => agents });
  const { structuredContent, content } = await host.call("list_agents", {}, never);
  expect(structuredContent).toMatchObject({ truncated: true, omitted: { count: 50 } });
  expect(content[0]?.text).toContain("TRUNCATED");
});

test("an answer beyond its bounds is no answer", async () => {
  const text = "x".repeat(5_000);
  const { host } = portOf({ ask: async () => ({ state: "completed", taskId: "t", text }) });
  const answer = await host.call("ask_petrel", { question: "why?" }, never);
  expect(answer).toMatchObject({ isError: true });
});

test("what the port refuses with is told in its words", async () => {
  const { host } = portOf();
  const answer = await host.call("show_incident", { incident: "01a2b3c4" }, never);
  expect(answer.content[0]?.text).toMatch(/^QUERY_REFUSED: no such incident/);
});

test("no tool confirms, silences, cancels or writes", () => {
  const { host } = portOf();
  const names = host.list.map(({ name }) => name).join(" ");
  expect(names).not.toMatch(/confirm|reject|silence|cancel|delete|write|add|remove/);
});
