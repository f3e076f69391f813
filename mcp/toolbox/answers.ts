/** What MCP servers answer, as the toolbox takes it. Texts stay untrusted; nothing is run or fetched. */
import type { RemoteAnswer, RemoteTool } from "./server.ts";
import { hashOf } from "./server.ts";
import { isJson, oneLine, words } from "./words.ts";

/** A tool as the SDK hands it out. */
export interface ListedTool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly annotations?:
    | { readonly readOnlyHint?: boolean; readonly destructiveHint?: boolean }
    | undefined;
}

const SCHEMA_CHARS_MAX = 16 * 1024;
const DESCRIPTION_CHARS_MAX = 600;

/** A tool made harmless; undefined for one whose name or schema nobody would write in good faith. */
export function remoteTool(listed: ListedTool): RemoteTool | undefined {
  const { name, description = "", inputSchema, annotations = {} } = listed;
  if (!/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(name)) return undefined;
  if (JSON.stringify(inputSchema).length > SCHEMA_CHARS_MAX) return undefined;
  const { readOnlyHint: readOnly, destructiveHint: destructive } = annotations;
  return {
    name,
    description: oneLine(description, DESCRIPTION_CHARS_MAX),
    input: words(inputSchema),
    ...(readOnly === undefined ? {} : { readOnly }),
    ...(destructive === undefined ? {} : { destructive }),
    hash: hashOf(listed),
  };
}

/** The texts of a result. Pictures, sounds and links are named and left out. */
export function answerOf(result: Readonly<Record<string, unknown>>): RemoteAnswer {
  const { content, structuredContent, isError } = result;
  const parts = Array.isArray(content) ? content.map(textOf) : [];
  const text = parts.join("\n");
  const isEmpty = text.trim() === "" && isJson(structuredContent);
  return { isError: isError === true, text: isEmpty ? JSON.stringify(structuredContent) : text };
}

function textOf(part: unknown): string {
  if (!isJson(part)) return "";
  const { type, text, resource } = part;
  if (type === "text" && typeof text === "string") return text;
  if (type === "resource" && isJson(resource) && typeof resource["text"] === "string")
    return resource["text"];
  return `[${typeof type === "string" ? oneLine(type, 20) : "part"} left out]`;
}
