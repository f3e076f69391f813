/**
 * The tools a model may ask for while it explains an incident: our own, and those of MCP servers that the
 * configuration names. Read-only and allow-listed; what is called is what was listed; what comes back is
 * redacted and cut. A failure is an answer: only the signal makes a call reject.
 */
import { type Clock, type Logger, messageOf, PetrelError } from "../../core/mod.ts";
import { makeToolHost } from "../server/host.ts";
import type { ToolDefinition } from "../server/tool.ts";
import { McpClient, type McpClientOptions } from "./client.ts";
import { OWN_RULES } from "./known.ts";
import { type PolicyOptions, type ServerPolicy, ToolPolicy } from "./policy.ts";
import type { ToolReply, Tools, ToolWords } from "./port.ts";
import { ownServer, type RemoteTool, type ToolServer } from "./server.ts";
import { visible } from "./words.ts";

export interface ToolboxServer extends Omit<McpClientOptions, "clock" | "log">, ServerPolicy {}

export interface ToolboxOptions extends PolicyOptions {
  /** Run in this process; those that write are left out. */
  readonly own?: readonly ToolDefinition[];
  /** Their tools' names begin with the server's: `grafana__query_prometheus`. */
  readonly servers?: readonly ToolboxServer[];
  readonly log: Logger;
  readonly clock: Clock;
  /** Longest answer, without the note that it was cut; default 4,000. */
  readonly resultCharsMax?: number;
  /** How long a list waits for a server before it goes without its tools; default 4 s. */
  readonly listTimeoutMs?: number;
  /** Calls running at once; default 4. One more is an error, not queued. */
  readonly callsRunningMax?: number;
}

export interface Toolbox extends Tools, AsyncDisposable {}

interface Source {
  readonly server: ToolServer;
  readonly policy: ToolPolicy;
  /** Ours does not change while it runs. */
  readonly isOwn: boolean;
}

/** A tool as it was first listed. */
interface Pin {
  readonly source: Source;
  readonly tool: RemoteTool;
  isChanged: boolean;
}

const RESULT_CHARS_MAX = 4_000;
const LIST_TIMEOUT_MS = 4_000;
const CALLS_RUNNING_MAX = 4;
/** Redacting comes before cutting, for half a secret is not recognised; and its work is bounded. */
const READ_FACTOR = 16;
/** Nobody who looks for a cause needs more; each costs tokens. */
const TOOLS_MAX = 60;

/** Opens no connection by itself. Throws CONFIG_INVALID for two servers of one name. */
export function makeToolbox(options: ToolboxOptions): Toolbox {
  return new ServerToolbox(options);
}

class ServerToolbox implements Toolbox {
  readonly #options: ToolboxOptions;
  readonly #sources: readonly Source[];
  readonly #pins = new Map<string, Pin>();
  /** What was told once: of a server that is away, of a tool that is refused. */
  readonly #told = new Set<string>();
  #running = 0;

  constructor(options: ToolboxOptions) {
    this.#options = options;
    const { own = [], servers = [] } = options;
    checkNames(servers.map(({ name }) => name));
    this.#sources = [
      ...(own.length === 0 ? [] : [this.#ownSource(own)]),
      ...servers.map((server) => this.#source(server)),
    ];
  }

  #ownSource(own: readonly ToolDefinition[]): Source {
    const { log } = this.#options;
    const server = ownServer(makeToolHost(own, { logger: log }), own);
    const allow = own.map(({ name }) => name);
    const policy = new ToolPolicy({ allow, known: OWN_RULES }, this.#options);
    return { server, policy, isOwn: true };
  }

  #source(server: ToolboxServer): Source {
    const { clock, log } = this.#options;
    const client = new McpClient({ ...server, clock, log });
    return { server: client, policy: new ToolPolicy(server, this.#options), isOwn: false };
  }

  async list(signal: AbortSignal): Promise<readonly ToolWords[]> {
    signal.throwIfAborted();
    const found = await Promise.all(this.#sources.map((source) => this.#offered(source, signal)));
    return found
      .flat()
      .slice(0, TOOLS_MAX)
      .map(([name, { description, input }]) => ({ name, description, input }));
  }

  /** The tools of one server that may be called, by their public names. */
  async #offered(source: Source, signal: AbortSignal): Promise<[string, RemoteTool][]> {
    const { server, policy } = source;
    const late = AbortSignal.timeout(this.#options.listTimeoutMs ?? LIST_TIMEOUT_MS);
    let listed: readonly RemoteTool[];
    try {
      // A server that is still starting goes on with it, and is there for the next list.
      listed = await server.list(AbortSignal.any([signal, late]));
      this.#told.delete(server.name);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      this.#tell(server.name, "tools.server_away", {
        server: server.name,
        error: messageOf(error),
      });
      return [];
    }
    const offered = listed.flatMap((tool): [string, RemoteTool][] => {
      const name = publicName(source, tool);
      const why = this.#isAsPinned(name, source, tool) ? policy.refusal(tool) : "it has changed";
      if (why === undefined) return [[name, tool]];
      // What nobody asked for is not worth a line.
      if (why !== "it is not on the server's list")
        this.#tell(`${name} ${why}`, "tools.tool_refused", { tool: name, why });
      return [];
    });
    for (const [name, tool] of offered)
      if (!this.#pins.has(name)) this.#pins.set(name, { source, tool, isChanged: false });
    return offered;
  }

  /** False for a tool that is no longer what was first listed, from then on. */
  #isAsPinned(name: string, source: Source, tool: RemoteTool): boolean {
    const pin = this.#pins.get(name);
    if (pin === undefined) return true;
    if (pin.source !== source || pin.tool.hash !== tool.hash) pin.isChanged = true;
    return !pin.isChanged;
  }

  #tell(key: string, event: string, fields: Readonly<Record<string, string>>): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#options.log.warn(event, fields);
  }

  async call(name: string, args: unknown, signal: AbortSignal): Promise<ToolReply> {
    signal.throwIfAborted();
    if (this.#running >= (this.#options.callsRunningMax ?? CALLS_RUNNING_MAX))
      return this.#reply("error", "OVERLOADED: too many calls are running; call again later");
    this.#running++;
    try {
      return await this.#call(name, args, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const text = error instanceof PetrelError ? `${error.code}: ${error.message}` : "INTERNAL";
      if (!(error instanceof PetrelError))
        this.#options.log.error("tools.defect", {
          tool: name.slice(0, 200),
          error: messageOf(error),
        });
      return this.#reply("error", text);
    } finally {
      this.#running--;
    }
  }

  async #call(name: string, args: unknown, signal: AbortSignal): Promise<ToolReply> {
    const pin = this.#pins.get(name);
    if (pin === undefined) {
      const known = [...this.#pins.keys()].slice(0, TOOLS_MAX).join(", ") || "none";
      return this.#reply("refused", `there is no such tool; there are ${known}`);
    }
    const { source, tool } = pin;
    if (!source.isOwn && !(await this.#isUnchanged(name, pin, signal)))
      return this.#reply("refused", "the tool is not what was listed");
    const checked = await this.#checked(pin, args, signal);
    if ("refused" in checked) return this.#reply("refused", checked.refused);
    const answer = await source.server.call(tool.name, checked.args, signal);
    if (answer.isRefused === true) return this.#reply("refused", answer.text);
    return this.#reply(answer.isError ? "error" : "ok", answer.text);
  }

  /** A server may show one tool and run another: what it lists now has to be what it listed then. */
  async #isUnchanged(name: string, { source, tool }: Pin, signal: AbortSignal): Promise<boolean> {
    const listed = await source.server.list(signal);
    const now = listed.find((each) => each.name === tool.name);
    if (now && this.#isAsPinned(name, source, now)) return true;
    const why = now ? "it has changed" : "it is gone";
    this.#tell(`${name} ${why}`, "tools.tool_refused", { tool: name, why });
    return false;
  }

  /** Refused by the policy; but when Splunk's parser could not be asked, that is an error. */
  async #checked(
    { source, tool }: Pin,
    args: unknown,
    signal: AbortSignal,
  ): Promise<{ args: Readonly<Record<string, unknown>> } | { refused: string }> {
    try {
      return { args: await source.policy.check(tool, args, signal) };
    } catch (error) {
      const codes = ["QUERY_REFUSED", "USAGE", "TOO_LARGE"];
      if (!(error instanceof PetrelError) || !codes.includes(error.code)) throw error;
      return { refused: error.message };
    }
  }

  #reply(outcome: ToolReply["outcome"], raw: string): ToolReply {
    const limit = this.#options.resultCharsMax ?? RESULT_CHARS_MAX;
    const read = raw.slice(0, READ_FACTOR * limit);
    const text = this.#options.redact(visible(read)).trim();
    const isCut = text.length > limit || read.length < raw.length;
    if (!isCut) return { outcome, text };
    const kept = text.slice(0, limit).toWellFormed();
    return { outcome, text: `${kept}\n[cut here: ${raw.length} characters in all; ask for less]` };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sources.map(({ server }) => server[Symbol.asyncDispose]()));
  }
}

/** With one, no tool of one server can be taken for that of another. */
function checkNames(names: readonly string[]): void {
  const isWrong = (name: string, at: number) =>
    !/^[a-z][a-z0-9-]{0,30}$/.test(name) || name === "own" || names.indexOf(name) < at;
  const wrong = names.find(isWrong);
  if (wrong === undefined) return;
  const text = `tools.servers: "${wrong}" is not a name of its own`;
  throw new PetrelError("CONFIG_INVALID", text, { path: "tools.servers" });
}

function publicName({ server, isOwn }: Source, { name }: RemoteTool): string {
  return isOwn ? name : `${server.name}__${name}`;
}
