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
    help: `usage: petrel demo [--json] [--stay] [--llm] [--kafka]

Starts nats-server, Prometheus and stand-ins for Splunk and Grafana, replays recorded Train-Ticket
telemetry and the payment scenario, and lets the agents investigate.

  --json    one JSON object as the last line of standard output
  --stay    keep everything running at the end, until Ctrl-C, to look around with petrel and nats
  --kafka   carry the audit to a real Kafka (needs Java 17), show a consumer's view, and prove it whole
  --llm     explain with a stand-in LLM (with OPENAI_* or AZURE_OPENAI_* set, the real one is used)
`,
    load: () => import("./commands/demo.ts"),
  },
  {
    name: "up",
    summary: "run the agents of this host until stopped",
    help: `usage: petrel up [--role ROLE[,ROLE]] [--every 5m] [options]

  --role ROLES      sre, supervisor, splunk, metrics, bridge, gateway (default: all that are configured), echo
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
    help: `usage: petrel investigate --from T --to T [--baseline T/T]... [--alerted] [--json] [options]

  --from, --to T    the window: ISO 8601 with a zone, or milliseconds since the epoch
  --baseline T/T    what counts as normal (default: the windows just before)
  --alerted         something is known to be wrong: name suspects although nothing stands out
  --json            one JSON object as the last line
  --remote          use the evidence agents that are in the mesh, start none here
${CONFIG_HELP}`,
    load: () => import("./commands/investigate.ts"),
  },
  {
    name: "incidents",
    summary: "what is wrong now and was before; confirm it, or silence it",
    help: `usage: petrel incidents [list] [--state open,resolved|all] [--service S] [--limit N] [options]
       petrel incidents show ID [options]
       petrel incidents confirm ID [--cause "…"] [--note "…"] [options]
       petrel incidents reject ID [--cause "…"] [--note "…"] [options]
       petrel incidents silence --match FIELD=VALUE... (--for D | --until T) [--from T] --comment "…" [options]
       petrel incidents silences [options]
       petrel incidents unsilence ID [options]
       petrel incidents dead [--service S] [--limit N] [options]
       petrel incidents redeliver ID [--sink NAME] [options]
       petrel incidents watch [--every 5s] [options]

  list      those that are not closed, newest first
  show      one of them: what happened, what it rests on, what became of it, what it cost
  confirm   its cause is right; the next one like it says so. --cause: as you know it
  reject    its cause is wrong. --cause: what it was instead
  silence   nobody is told of what matches, until it ends; it is still found, kept and listed
  silences  those that were set, and the maintenance of the configuration
  unsilence a silence ends now
  dead      those with notices that a sink never took
  redeliver what a sink never took is sent to it again, once
  watch     every change as it comes, until Ctrl-C

  ID                an incident's id, or its beginning when it is one incident's alone
  --state STATES    pending, open, resolved, closed; or all
  --service S       of this service
  --limit N         at most so many (default 50)
  --match F=V       service, mechanism, severity, kind or location; = or !=, * is any text; all have to match
  --for, --until    how long, such as 2h, or until when: ISO 8601 with a zone
  --sink NAME       to this sink alone, such as slack
  --json            one JSON object; watch writes one per change
${CONFIG_HELP}
It asks the SRE agent in the mesh. Exit codes beside the common ones: 1 there is no such incident or
silence, or more than one; or redeliver left a notice dead; 4 no SRE agent is in the mesh.

examples:
  petrel incidents
  petrel incidents show 01a1fdf1-4c90
  petrel incidents confirm 01a1fdf1-4c90 --cause "ledger held its locks" --note "fixed in ledger 4.2"
  petrel incidents silence --match 'service=payment-*' --match severity=warning --for 2h --comment "release 4.2"
`,
    load: () => import("./commands/incidents.ts"),
  },
  {
    name: "ask",
    summary: "ask a question in plain words, and get an answer that cites its evidence",
    help: `usage: petrel ask "question" [--task ID] [--timeout 5m] [--json] [options]

  "question"        such as "why is payment failing since 14:40?"; English, German, French, Spanish,
                    Italian or Portuguese; times are UTC unless a zone is named
  --task ID         go on with a question that was asked back
  --timeout D       how long the answer is worth something (default: sre.timeout and 30 s)
  --json            one JSON object: {"task","state","answer"|"question"|"text"}
${CONFIG_HELP}
Needs the role supervisor in the mesh, and the role sre for what it asks. On a terminal you are asked what
is unclear; elsewhere the question is printed.
Exit codes beside the common ones: 1 not answered, the text says why; 4 a source was away, so there is no
saying; 6 the question is unclear: answer with --task.

examples:
  petrel ask "why is payment failing since 14:40?"
  petrel ask "welche Vorfälle sind offen?"
  petrel ask --task 49df10f4-e5de-8922-a02f-e4fd94f7444b "payment-service"
`,
    load: () => import("./commands/ask.ts"),
  },
  {
    name: "agents",
    summary: "list the agents in the mesh, and add those of others",
    help: `usage: petrel agents [--skill S] [--tag T] [--version RANGE] [--json] [options]
       petrel agents add URL [--name N] [--keys FILE] [--json] [options]
       petrel agents remove NAME [options]

  --skill, --tag    those that have the skill, or a skill with the tag
  --version RANGE   such as 1.x or ">=1.2"
  add URL           an agent outside, known by its card; it is called as external:NAME
  --name N          what to call it (default: made of the card's name)
  --keys FILE       a JWKS; the card has to be signed by one of its keys
${CONFIG_HELP}`,
    load: () => import("./commands/agents.ts"),
  },
  {
    name: "audit",
    summary: "read, replay, prove and export the audit trail",
    help: `usage: petrel audit tail [--follow] [--from SEQ] [--from-kafka] [options]
       petrel audit tally [options]
       petrel audit show TASK|ENVELOPE [source] [options]
       petrel audit replay --task T|--context C [--until TIME|--seq N] [--diff-live] [source] [options]
       petrel audit verify [--keys FILE] [--checkpoints FILE] [--against-jetstream] [--shard N] [options]
       petrel audit proof inclusion --envelope ID|--leaf N [--size M] [--shard N] [--out FILE] [options]
       petrel audit proof consistency --from M --to N [--shard N] [--out FILE] [options]
       petrel audit proof check FILE [--keys FILE] [--json]
       petrel audit gaps [source] [options]
       petrel audit export --from TIME --to TIME [--out FILE] [options]
       petrel audit keys new --key FILE --keyring FILE [--name NAME]
       petrel audit keys rotate --key OLD --new FILE --keyring FILE [--overlap 1h]
       petrel audit keys show --keyring FILE [--json]
       petrel audit keys redaction --out FILE

  tail      the envelopes as both ends report them to JetStream; with --from-kafka the records
  tally     how many envelopes there are in JetStream, and which only one end reported
  show      who asked whom what, when, with what result, and where it is stored
  replay    a task as it was at a moment, from the log alone
  verify    every record is what was written, in its place, and under a signed root
  proof     one record, or the tree's growth, proven to somebody who has only a key
  gaps      what shows that the audit is not whole, and how far Kafka is behind
  export    records as JSON lines, with a manifest to check the file by
  keys      the keys that sign checkpoints, and the one for redaction tokens

  --from-kafka, --from-jetstream
                    the source (default: Kafka when it is configured and answers, else JetStream)
  --until TIME      as of this time: ISO 8601 with a zone, or milliseconds since the epoch
  --seq N           as of this sequence of the stream
  --diff-live       compare with the task as the mesh has it now
  --keys FILE       a keyring; may be given more than once
  --checkpoints FILE
                    the checkpoints that the bridge kept outside Kafka
  --json            for programs
${CONFIG_HELP}
Exit codes beside the common ones: 1 tampered, different, gaps found, or not found;
replay --diff-live 4 when the live task has expired; verify 4 when Kafka is away.

examples:
  petrel audit show 01a1fdf1-4c90-7788-ab71-b23486c25c85
  petrel audit replay --task 01a1fdf1-4c90-7788-ab71-b23486c25c85 --until 2026-11-21T09:00:00Z
  petrel audit verify --keys keyring.json --checkpoints checkpoints.jsonl
  petrel audit proof inclusion --leaf 41 --out proof.json && petrel audit proof check proof.json --keys keyring.json
`,
    load: () => import("./commands/audit.ts"),
  },
  {
    name: "mcp",
    summary: "serve the mesh, Splunk, Prometheus and Grafana as tools over MCP",
    help: `usage: petrel mcp [--stdio | --http] [--port N] [--mesh | --no-mesh] [options]

  --stdio           over standard input and output (default)
  --http            Streamable HTTP at /mcp, on the configuration's mcp.host and mcp.port
  --mesh            the mesh has to be there (default: its tools are served if NATS answers at the start)
  --no-mesh         only the tools of the systems
${CONFIG_HELP}`,
    load: () => import("./commands/mcp.ts"),
  },
  {
    name: "eval",
    summary: "the public benchmarks, through the code that runs in production",
    help: `usage: petrel eval nezha|petshop|nab|loghub|all --data DIR [--json] [--scores DIR]

  --data DIR        where the data was unpacked; any subset of it (docs/evidence.md says where to get it)
  --json            one JSON object a suite: {"suite","cases","metrics","byGroup","seconds"}
  --scores DIR      nab only: write anomaly scores as <category>/<file>.csv
  all               every suite whose data DIR holds
`,
    load: () => import("./commands/eval.ts"),
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
  tasks: "the A2A tasks in the mesh",
  bench: 'use "make bench" in the source tree',
};
