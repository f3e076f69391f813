/** What to do next, per mechanism. Plain sentences; `{service}` and `{location}` are filled in. */

const NEXT: Readonly<Record<string, readonly string[]>> = {
  "cpu contention": [
    "Look at what else runs on the node of {service}, and at its CPU limit and throttling.",
    "Take a thread dump or a profile of {service} to see whether its own code burns the CPU.",
  ],
  "memory pressure": [
    "Take a heap histogram of {service} before it is restarted.",
    "Compare heap use and garbage collection since the last release; raise the limit or roll back.",
  ],
  "database connection pool exhausted": [
    "Look for slow or blocked statements in the database {service} uses.",
    "Check {service} for connections that are held during calls to other services or never returned.",
    "Compare the pool's maximum with the number of request threads and with the database's own limit.",
  ],
  "threads exhausted": ["Take a thread dump of {service} and see what the threads wait for."],
  "disk full": ["Free space on the volume of {service}, then find what fills it."],
  "network delay": [
    "Measure the round trip to and from {service}, and look for packet loss or throttling on its node.",
    "Check recent changes to network policies, proxies and DNS around {service}.",
  ],
  "slow responses": [
    "Look at the slowest traces through {service} and where they spend their time.",
    "Check the databases and services that {service} waits for.",
  ],
  "throws exceptions": [
    "Read the exceptions of {service} in this window, first those at {location}.",
    "Compare with the last release of {service}; roll back if it came with it.",
  ],
  "returns wrong data": [
    "Check what {service} received and returned at {location}.",
    "Check the data behind it and the last release of {service}.",
  ],
  "code path changed": [
    "Read the code of {service} at {location}: requests take another way there.",
    "Compare with the last release and configuration of {service}.",
  ],
  "stopped logging": [
    "Check that {service} is running, and that its log lines still reach the log store.",
    "Check whether requests still reach {service} at all.",
  ],
  errors: [
    "Read the error lines that name {service}, and check that it is running and registered.",
    "Check the last release and configuration of {service}.",
  ],
};

/** Sentences for a mechanism; for one not in the table, where to look first. */
export function nextSteps(mechanism: string, service: string, location?: string): string[] {
  const steps = NEXT[mechanism] ?? ["Look at the evidence on {service} first."];
  return steps.map((step) =>
    step.replaceAll("{service}", service).replaceAll("{location}", location ?? service),
  );
}
