/** The ways to have a text echoed, each with its server's and its client's half. */
import { type Message, SendMessageRequest, type Task } from "@a2a-js/sdk";
import { connect } from "nats";
import { z } from "zod";
import { type AgentDefinition, Mesh } from "../../a2a/mod.ts";
import { makeLogger, newId, PetrelError } from "../../core/mod.ts";
import { openExpress, serveExpress } from "./express.ts";
import type { Echo } from "./load.ts";

export const Side = z.enum(["raw", "off", "message", "strict", "task", "express"]);
/**
 * Plain request-reply; SendMessage answered by a message, its audit thrown away, as users run it (async),
 * and strict; SendMessage answered by a durable task; by a task of the SDK's own server over HTTP, which
 * keeps it in memory.
 */
export type Side = z.infer<typeof Side>;
type AgentSide = Exclude<Side, "raw" | "express">;

/** What a process reported to the audit, once all of it is stored. */
export const Reported = z.object({ reported: z.number() });
export type Reported = z.infer<typeof Reported>;

const RAW_SUBJECT = "bench.echo";
const CALL_TIMEOUT_MS = 30_000;
const DRAIN_TIMEOUT_MS = 60_000;

/** Resolves when everything it reported is stored, and its connection is closed. */
export type Stop = () => Promise<Reported>;

/** A side's server, and where it is reached: where NATS is, unless it listens itself. */
export interface Served {
  readonly stop: Stop;
  readonly url: string;
}

export async function serve(side: Side, url: string): Promise<Served> {
  if (side === "express") return serveExpress();
  return { url, stop: side === "raw" ? await serveRaw(url) : await serveAgent(side, url) };
}

export function openEcho(side: Side, url: string): Promise<{ echo: Echo; stop: Stop }> {
  if (side === "express") return openExpress(url);
  return side === "raw" ? openRaw(url) : openAgent(side, url);
}

async function serveRaw(url: string): Promise<Stop> {
  const nc = await connect({ servers: url });
  nc.subscribe(RAW_SUBJECT, { callback: (_error, message) => void message.respond(message.data) });
  await nc.flush();
  return async () => {
    await nc.drain();
    return { reported: 0 };
  };
}

async function openRaw(url: string): Promise<{ echo: Echo; stop: Stop }> {
  const nc = await connect({ servers: url });
  return {
    echo: async (text) =>
      (await nc.request(RAW_SUBJECT, text, { timeout: CALL_TIMEOUT_MS })).string(),
    stop: async () => {
      await nc.drain();
      return { reported: 0 };
    },
  };
}

function agentOf(side: AgentSide): AgentDefinition {
  return {
    name: `bench-${side}`,
    description: "Answers with the text it was sent.",
    version: "1.0.0",
    skills: [{ id: "echo", name: "Echo", description: "Says it again.", tags: ["bench"] }],
    messageOnly: side !== "task",
    // An echo may be heard twice: no claim is stored before it.
    repeatable: true,
    run: async (turn) => {
      if (side !== "task") return { kind: "message", text: turn.text };
      await turn.artifact("echo", { text: turn.text });
      return { kind: "completed", text: "done" };
    },
  };
}

async function serveAgent(side: AgentSide, url: string): Promise<Stop> {
  const agent = agentOf(side);
  const mesh = await openMesh(agent.name, url, side);
  await mesh.serve(agent);
  return () => stopMesh(mesh);
}

async function openAgent(side: AgentSide, url: string): Promise<{ echo: Echo; stop: Stop }> {
  const mesh = await openMesh("bench-caller", url, side);
  const transport = mesh.transport(agentOf(side).name);
  return {
    echo: async (text) => textOf(await transport.sendMessage(requestOf(text))),
    stop: () => stopMesh(mesh),
  };
}

/** Shows warnings only: a publish of the audit that had to be repeated belongs into the picture. */
export async function openMesh(name: string, url: string, side: AgentSide): Promise<Mesh> {
  const mesh = await Mesh.open({
    servers: [url],
    name,
    log: makeLogger({ level: "warn" }),
    auditMode: side === "strict" ? "strict" : "async",
  });
  if (side === "off") {
    // Petrel has no such switch. Records are still made; what becomes of them is not measured.
    mesh.outbox.report = () => undefined;
    mesh.outbox.reportBefore = () => undefined;
  }
  return mesh;
}

async function stopMesh(mesh: Mesh): Promise<Reported> {
  await mesh.outbox.drain(DRAIN_TIMEOUT_MS);
  const { reported } = mesh.outbox.counts;
  await mesh.close();
  return { reported };
}

export function requestOf(text: string): SendMessageRequest {
  return SendMessageRequest.fromJSON({
    message: { messageId: newId(), role: "ROLE_USER", parts: [{ text }] },
  });
}

const EchoData = z.object({ text: z.string() });

/** The echo in an answer: the message's text, or the text in the task's artifact. */
export function textOf(answer: Message | Task): string {
  const parts = "parts" in answer ? answer.parts : answer.artifacts[0]?.parts;
  const content = parts?.[0]?.content;
  if (content?.$case === "text") return content.value;
  const echoed = EchoData.safeParse(content?.value);
  if (echoed.success) return echoed.data.text;
  throw new PetrelError("PROTOCOL_VIOLATION", "the answer has no text");
}
