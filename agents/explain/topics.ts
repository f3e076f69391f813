/**
 * What a sentence is about: scarce resources, symptoms, and the causes people like to name. Whatever a
 * statement is about, its evidence has to be about too. A table of patterns; all linear, as text is hostile.
 */
import type { Finding } from "../../streams/mod.ts";

export const TOPICS = {
  pool: /\bpool|hikari|\bjdbc\b|\bc3p0|\bdbcp/,
  cpu: /\bcpus?\b|processor|throttl|\bcores?\b/,
  memory: /\bmemory\b|\bheap\b|out ?of ?memory|\boom\b|metaspace|garbage|\bgc\b|\bram\b|\bswap/,
  threads: /\bthread|executor|worker pool/,
  disk: /\bdisks?\b|\bstorage\b|\bvolumes?\b|filesystem|no space left|\biops\b|\binodes?\b/,
  network:
    /\bnetwork|\bpackets?\b|unreachable|not reachable|\bfirewall|\bsockets?\b|\btcp\b|connection re(?:fused|set)|\bno instances|bandwidth/,
  latency: /latenc|\bslow|\bdelay|response times?|time[ds]?[ -]?outs?\b|\bms\b|millisecond|\bwait/,
  errors: /\berrors?\b|exception|\b5(?:\d\d|xx)\b|stack ?trace/,
  traffic: /\btraffic|request rate|\bthroughput|\bsurge|\bload\b|\bflood|\brequests?\/min/,
  silence:
    /stopped logging|\bsilent\b|\bno lines?\b|\bcrash|\bdied\b|\bdead\b|shut ?down|\bkilled\b/,
  leak: /\bleak/,
  deadlock: /\bdead ?lock|\block(?:ed|s|ing)?\b/,
  database:
    /database|\bdbs?\b|\bsql|postgres|mysql|\boracle\b|mongo|\bquer(?:y|ies)\b|\btables?\b|\breplica/,
  release:
    /\bdeploy|\brelease|\brollouts?\b|\broll(?:ed|ing)?[ -]?(?:back|out)|\bupgrade|\bversion|\bmigration|\bcommit(?:s|ted)?\b|\bpatch/,
  configuration: /\bconfig|misconfig|\bfeature flag|\bsettings?\b/,
  dns: /\bdns\b|name resolution|unknown ?host/,
  certificate: /certificate|\btls\b|\bssl\b|\bexpir/,
  access:
    /password|credential|\btokens?\b|\bsecrets?\b|api key|unauthori[sz]ed|\bauthenticat|\bpermission|\baccess denied/,
  attack:
    /\battack|\bhack|intru|\bbreach|malicious|\bd?dos\b|malware|ransom|exploit|\binject|compromis|\bfraud|\bstolen\b|\bthef?t\b/,
  cache: /\bcach|\bredis\b|memcache|\bevict/,
  queue: /\bkafka\b|rabbit|\bqueues?\b|\bbacklog|\bbroker|\bconsumer lag|\bjms\b/,
  platform:
    /kubernetes|\bk8s\b|\bpods?\b|\bnodes?\b|container|docker|\baws\b|\bazure\b|\bgcp\b|\bclusters?\b|\brestart|\breboot|\bhypervisor|\bdata ?cent(?:er|re)|\bscal(?:ed|ing)\b/,
  hardware: /hardware|\bkernel\b|\bpower\b|\bfans?\b|overheat/,
  outsiders:
    /third[ -]part|\bvendor|\bsupplier|\bcloud\b|\bpartner|\bbank\b|\bpsp\b|\bstripe\b|\bvisa\b/,
  people: /\bcustomers?\b|\busers?\b|merchant|\bclients?\b|\bpatients?\b/,
  staff:
    /employee|\boperators?\b|\bhumans?\b|\bengineers?\b|\bintern\b|\bsabotage|\badmin|\bsomeone\b|\bsomebody\b|\bdevelopers?\b|\bteams?\b/,
  money:
    /\bmoney\b|\brevenue|\bloss(?:es)?\b|\brefund|\bdollars?\b|\beuros?\b|\busd\b|\beur\b|[$€£]/,
  data: /corrupt|wrong data|data loss|lost data|\bdeleted?\b|\bwiped?\b|\bdropped table|overwrit|\binconsisten|\bschema\b/,
  schedule: /\bcron|\bbatch\b|\bjobs?\b|\bbackups?\b|\bmaintenance|\bplanned\b|\bscheduled\b/,
  time: /yesterday|tomorrow|\blast (?:week|month|night|year|hour)|\bweeks?\b|\bmonths?\b|\byears?\b|\bhours?\b|\bdays?\b|midnight|\bnoon\b|monday|tuesday|wednesday|thursday|friday|saturday|sunday|\bclocks?\b/,
} as const satisfies Record<string, RegExp>;
export type Topic = keyof typeof TOPICS;

function isTopic(name: string): name is Topic {
  return Object.hasOwn(TOPICS, name);
}

const NAMES = Object.keys(TOPICS).filter(isTopic);

/** Of these a log line may tell in passing; of the others only what was found itself may. */
const MEASURED: ReadonlySet<Topic> = new Set([
  "pool",
  "cpu",
  "memory",
  "threads",
  "disk",
  "network",
  "latency",
  "errors",
  "traffic",
  "silence",
  "database",
  "dns",
  "deadlock",
]);

const BY_RESOURCE: Readonly<Record<NonNullable<Finding["resource"]>, readonly Topic[]>> = {
  cpu: ["cpu"],
  memory: ["memory"],
  jvm_memory: ["memory"],
  gc: ["memory"],
  connection_pool: ["pool", "database"],
  threads: ["threads"],
  network: ["network"],
  disk: ["disk"],
  latency: ["latency"],
  errors: ["errors"],
  traffic: ["traffic"],
};

const BY_KIND: Partial<Readonly<Record<Finding["kind"], readonly Topic[]>>> = {
  error_burst: ["errors"],
  http_5xx: ["errors"],
  latency: ["latency"],
  edge_delay: ["latency"],
};

/** The topics of a text in its comparable form. */
export function topicsOf(text: string): Set<Topic> {
  return new Set(NAMES.filter((name) => TOPICS[name].test(text)));
}

/** Topics that a line may bring with it although it was not found for them. */
export function passingTopics(text: string): Set<Topic> {
  return new Set([...topicsOf(text)].filter((name) => MEASURED.has(name)));
}

/** Whom and what people blame; no line of a log is evidence of them. */
const BLAMED: ReadonlySet<Topic> = new Set([
  "access",
  "attack",
  "data",
  "money",
  "outsiders",
  "people",
  "schedule",
  "staff",
  "time",
]);

/** Topics that a found template may bring with it. */
export function loggedTopics(text: string): Set<Topic> {
  return new Set([...topicsOf(text)].filter((name) => !BLAMED.has(name)));
}

/** The topics of what kind of finding it is. */
export function topicsOfFinding({ kind, resource }: Finding): readonly Topic[] {
  return [...(BY_KIND[kind] ?? []), ...(resource === undefined ? [] : BY_RESOURCE[resource])];
}
