/** What is not done yet, for the MCP tools: windows, tasks, incidents; and what of it could not be read. */
import { ListTasksRequest, TaskState } from "@a2a-js/sdk";
import type { Mesh } from "../../a2a/mod.ts";
import { INCIDENTS_SCHEMA, type IncidentsAnswer, type IncidentsAsked } from "../../agents/mod.ts";
import { messageOf, PetrelError } from "../../core/mod.ts";
import type { PendingWork } from "../../mcp/mod.ts";
import { call } from "./investigating.ts";
import { openWindows } from "./open-windows.ts";
import { incidentView, pendingTask } from "./views.ts";

const PAGE_SIZE = 100;

/** What is not done yet; a part that cannot be read is named, and not left out. */
export async function pendingWork(
  mesh: Mesh,
  incidents: (request: IncidentsAsked, signal: AbortSignal) => Promise<IncidentsAnswer>,
  signal: AbortSignal,
): Promise<PendingWork> {
  const unread: PendingWork["unread"] = [];
  const part = async <T>(what: string, read: () => Promise<T[]>): Promise<T[]> => {
    try {
      return await read();
    } catch (error) {
      signal.throwIfAborted();
      unread.push({ what: what.slice(0, 60), why: messageOf(error) });
      return [];
    }
  };
  await mesh.registry.ready();
  const replicas = mesh.registry.list();
  const agents = [...new Set(replicas.map(({ agent }) => agent))].slice(0, 40);
  const [windows, pending] = await Promise.all([
    part("windows", () => openWindows(mesh, signal)),
    part("incidents", async () => {
      const answer = await incidents(
        { schema: INCIDENTS_SCHEMA, action: "list", states: ["pending"], limit: 200 },
        signal,
      );
      if (answer.kind !== "incidents")
        throw new PetrelError("PROTOCOL_VIOLATION", "the SRE agent sent no list");
      return answer.incidents.map(incidentView);
    }),
  ]);
  // After that question, which is a task too while it is answered.
  const tasks = await Promise.all(
    agents.map((agent) => part(`tasks of ${agent}`, () => ownTasks(mesh, agent, signal))),
  );
  const running = agents.map((agent) => ({
    agent,
    tasks: replicas.reduce((sum, one) => (one.agent === agent ? sum + one.running : sum), 0),
  }));
  unread.sort((a, b) => a.what.localeCompare(b.what));
  return { tasks: tasks.flat().slice(0, 200), running, windows, incidents: pending, unread };
}

const NOT_DONE = [TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_INPUT_REQUIRED];

async function ownTasks(mesh: Mesh, agent: string, signal: AbortSignal) {
  const transport = mesh.transport(agent);
  const pages = await Promise.all(
    NOT_DONE.map((status) =>
      transport.listTasks(
        { ...ListTasksRequest.fromJSON({ pageSize: PAGE_SIZE }), status },
        call(signal),
      ),
    ),
  );
  return pages.flatMap(({ tasks }) => tasks.map((task) => pendingTask(agent, task)));
}
