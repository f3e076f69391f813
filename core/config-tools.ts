/** The configuration of the tools a model may ask for: our own, and those of other MCP servers. */
import { z } from "zod";
import { Duration, Path, Secret, Url } from "./config-types.ts";

const ToolName = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, "must be the name of a tool");
const Argument = z.string().regex(/^[\w.$-]{1,100}$/, "must be the name of an argument");

/** An argument that is a query, and is checked before it is sent. */
const Rule = z.strictObject({
  tool: ToolName,
  argument: Argument,
  language: z.enum(["spl", "promql"]),
  /** The arguments that are the window's start and end. */
  times: z.tuple([Argument, Argument]).optional(),
});

const Server = z
  .strictObject({
    /** Stands before its tools' names. */
    name: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,30}$/, 'must be 1 to 31 of a-z, 0-9 and "-"')
      .refine((name) => name !== "own", 'must not be "own"'),
    url: Url.optional(),
    token: Secret.optional(),
    ca_file: Path.optional(),
    /** Instead of a URL: a program and its arguments, which no shell reads. */
    command: z.array(z.string().min(1).max(1_000)).min(1).max(50).optional(),
    /** Names of variables the program gets; it gets no other. */
    env: z
      .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be a variable's name"))
      .max(50)
      .default([]),
    /** Its tools that may be called. Default: those of known servers that read. */
    allow: z.array(ToolName).max(200).optional(),
    rules: z.array(Rule).max(100).default([]),
    timeout: Duration.default(30_000),
  })
  .refine(
    ({ url, command }) => (url === undefined) !== (command === undefined),
    "needs url or command, and not both",
  )
  .refine(
    ({ url, token, ca_file: caFile }) =>
      url !== undefined || (token === undefined && caFile === undefined),
    "token and ca_file go with url",
  )
  .refine(({ url, env }) => url === undefined || env.length === 0, "env goes with command");

export const Tools = z.strictObject({
  /** The tools of the systems that are configured here. */
  own: z.boolean().default(true),
  /** Of one answer. */
  result_chars_max: z.number().int().min(200).max(20_000).default(4_000),
  servers: z
    .array(Server)
    .max(10)
    .default([])
    .refine(
      (servers) => new Set(servers.map(({ name }) => name)).size === servers.length,
      "names must differ",
    ),
});
