/** Every command, in the order people meet them. A command's code is loaded when it is run. */

export interface CommandModule {
  /** Runs the command with the words after its name. Resolves with the exit code. */
  readonly run: (argv: readonly string[], signal: AbortSignal) => Promise<number>;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly help: string;
  load(): Promise<CommandModule>;
}

const CONFIG_HELP = `  --config FILE     configuration (default: $PETREL_CONFIG, then ./petrel.yaml)
  --nats URL        NATS server, instead of the configuration's
`;

export const COMMANDS: readonly Command[] = [
  {
    name: "demo",
    summary: "find recorded faults in real telemetry, with everything started for you",
    help: `usage: petrel demo [--json] [--stay] [--llm]

Starts nats-server, Prometheus and stand-ins for Splunk and Grafana, replays recorded Train-Ticket
telemetry and the payment scenario, and lets the agents investigate.

  --json    one JSON object as the last line of standard output
  --stay    keep everything running at the end, until Ctrl-C, to look around with petrel and nats
  --llm     explain with a stand-in LLM (with OPENAI_* or AZURE_OPENAI_* set, the real one is used)
`,
    load: () => import("./commands/demo.ts"),
  },
  {
    name: "up",
    summary: "run the agents of this host until stopped",
    help: `usage: petrel up [--role ROLE[,ROLE]] [--every 5m] [options]

  --role ROLES      sre, splunk, metrics, bridge (default: all that are configured)
  --every D         length of a window (default: the configuration's sre.every)
  --resume-from SEQ where the bridge goes on when Kafka has lost its checkpoint; leaves a gap on record
${CONFIG_HELP}`,
    load: () => import("./commands/up.ts"),
  },
  {
    name: "watch",
    summary: "investigate every window as it ends, and show it",
    help: `usage: petrel watch [--every 5m] [--json] [--remote] [options]

  --every D         length of a window (default: the configuration's sre.every)
  --json            one JSON line per verdict
  --remote          use the evidence agents that are in the mesh, start none here
  --windows N       stop after N windows
${CONFIG_HELP}`,
    load: () => import("./commands/watch.ts"),
  },
  {
    name: "investigate",
    summary: "investigate one window now",
    help: `usage: petrel investigate --from T --to T [--baseline T/T]... [--json] [--remote] [options]

  --from, --to T    the window: ISO 8601 with a zone, or milliseconds since the epoch
  --baseline T/T    what counts as normal (default: the windows just before)
  --json            one JSON object as the last line
  --remote          use the evidence agents that are in the mesh, start none here
${CONFIG_HELP}`,
    load: () => import("./commands/investigate.ts"),
  },
  {
    name: "agents",
    summary: "list the agents in the mesh",
    help: `usage: petrel agents [--json] [options]

${CONFIG_HELP}`,
    load: () => import("./commands/agents.ts"),
  },
  {
    name: "audit",
    summary: "read the audit trail: tail, tally",
    help: `usage: petrel audit tail [--follow] [--from SEQ] [--json] [options]
       petrel audit tally [--json] [options]

  tail      the envelopes as both ends reported them
  tally     how many envelopes there are, and which only one end reported
${CONFIG_HELP}`,
    load: () => import("./commands/audit.ts"),
  },
  {
    name: "mcp",
    summary: "serve the tools for Splunk, Prometheus and Grafana over MCP",
    help: `usage: petrel mcp [--stdio | --http] [--port N] [options]

  --stdio           over standard input and output (default)
  --http            Streamable HTTP at /mcp, on the configuration's mcp.host and mcp.port
${CONFIG_HELP}`,
    load: () => import("./commands/mcp.ts"),
  },
  {
    name: "doctor",
    summary: "check the configuration and every system it names",
    help: `usage: petrel doctor [--json] [options]

${CONFIG_HELP}`,
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "version",
    summary: "print the version",
    help: "usage: petrel version\n",
    load: () => import("./commands/version.ts"),
  },
];

/** Commands of the design that are still to come, and what they will do. */
export const NOT_BUILT_YET: Readonly<Record<string, string>> = {
  ask: "questions in plain words, answered by the agents",
  tasks: "the A2A tasks in the mesh",
  eval: "the public benchmarks",
  bench: 'use "make bench" in the source tree',
  incidents: "the list of incidents",
};
