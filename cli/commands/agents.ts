/** `petrel agents`: who is in the mesh, who was added from outside, and how well they can be reached. */
import type { ExternalAgent, Mesh, OpenBreaker, Registered } from "../../a2a/mod.ts";
import { limits, PetrelError, silentLogger } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { colour, oneLine } from "../render/text.ts";
import { jwksOf } from "../trust.ts";
import { openMesh } from "../wire.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  json: { type: "boolean" },
  skill: { type: "string" },
  tag: { type: "string" },
  version: { type: "string" },
  name: { type: "string" },
  keys: { type: "string" },
} as const;

interface Listing {
  readonly agents: readonly Registered[];
  readonly external: readonly ExternalAgent[];
  /** Nothing particular was asked for. */
  readonly isAny: boolean;
}

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = readArgs(argv, OPTIONS, 2);
  const [verb, word] = positionals;
  const mesh = await openMesh(configFrom(values), "cli", silentLogger);
  try {
    if (verb === "add") return await add(mesh, word, values, signal);
    if (verb === "remove") return await remove(mesh, word);
    if (verb !== undefined)
      throw new PetrelError("USAGE", `unexpected word "${oneLine(verb, 60)}"`);
    const { skill, tag, version } = values;
    await mesh.registry.ready();
    const agents = mesh.registry.find({
      ...(skill === undefined ? {} : { skill }),
      ...(tag === undefined ? {} : { tag }),
      ...(version === undefined ? {} : { version }),
    });
    const external = (await (await mesh.external()).list()).filter(
      ({ card }) =>
        (skill === undefined || card.skills.some(({ id }) => id === skill)) &&
        (tag === undefined || card.skills.some(({ tags }) => tags.includes(tag))) &&
        (version === undefined || Bun.semver.satisfies(card.version, version)),
    );
    const isAny = skill === undefined && tag === undefined && version === undefined;
    const listing = { agents, external, isAny };
    process.stdout.write(
      values.json ? `${JSON.stringify({ agents, external })}\n` : wordsOf(listing),
    );
    return 0;
  } finally {
    await mesh.close();
  }
}

async function add(
  mesh: Mesh,
  url: string | undefined,
  options: { name?: string | undefined; keys?: string | undefined; json?: boolean | undefined },
  signal: AbortSignal,
): Promise<number> {
  if (url === undefined) throw new PetrelError("USAGE", "agents add needs the URL of a card");
  const { name, keys } = options;
  const jwks = keys === undefined ? undefined : await jwksOf(keys, "keys");
  const external = await mesh.external();
  const added = await external.add(url, {
    signal,
    ...(name === undefined ? {} : { name }),
    ...(jwks === undefined ? {} : { trust: { jwks } }),
  });
  const words = `added ${added.name}: ${oneLine(added.card.name, 60)} ${oneLine(added.card.version, 20)}\n`;
  process.stdout.write(options.json ? `${JSON.stringify(added)}\n` : words);
  return 0;
}

async function remove(mesh: Mesh, name: string | undefined): Promise<number> {
  if (name === undefined) throw new PetrelError("USAGE", "agents remove needs a name");
  await (await mesh.external()).remove(name);
  process.stdout.write(`removed ${oneLine(name, 128)}\n`);
  return 0;
}

function wordsOf({ agents, external, isAny }: Listing): string {
  if (agents.length === 0 && external.length === 0) {
    return `no ${isAny ? "" : "such "}agent is in the mesh (one that died is listed for ${limits.CARD_TTL_MS / 1000} s)\n`;
  }
  return [
    ...agents.map(wordsOfReplica),
    ...external.map(wordsOfExternal),
    ...brokenCircuits(agents).map((words) => colour("yellow", `${words}\n`)),
  ].join("");
}

function wordsOfReplica({ agent, instance, host, pid, running, startedAt, card }: Registered) {
  const skills = card.skills.map((skill) => oneLine(skill.id, 40)).join(", ");
  const place = `${instance}  ${oneLine(host, 40)}:${pid}`;
  const since = oneLine(startedAt, 24);
  return `${colour("bold", agent.padEnd(10))} ${oneLine(card.version, 12)}  ${place}  ${running} running  since ${since}  ${skills}\n`;
}

function wordsOfExternal({ name, url, card }: ExternalAgent): string {
  const skills = card.skills.map((skill) => oneLine(skill.id, 40)).join(", ");
  return `${colour("bold", `external:${name}`)} ${oneLine(card.version, 12)}  ${oneLine(url, 100)}  ${skills}\n`;
}

/** Circuits that are not closed, each with who found it so. */
function brokenCircuits(agents: readonly Registered[]): string[] {
  const found = new Map<string, string>();
  for (const { agent, instance, breakers = [] } of agents) {
    for (const breaker of breakers) {
      found.set(`${instance} ${breaker.target}`, wordsOfBreaker(agent, breaker));
    }
  }
  return [...found.values()];
}

function wordsOfBreaker(agent: string, { target, state, retryAfterMs }: OpenBreaker): string {
  const when = state === "open" ? `, asks again in ${Math.ceil(retryAfterMs / 1000)} s` : "";
  return `${agent} finds ${oneLine(target, 100)} ill: circuit ${state}${when}`;
}
