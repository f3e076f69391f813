import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { llmEnvironment, loadConfig, PetrelError, parseConfig } from "../../core/mod.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

type Environment = Record<string, string>;
const parse = (text: string, env: Environment = {}) => parseConfig(text, env, "petrel.yaml");

/** The error of a text that must be refused. */
function refusal(text: string, env: Environment = {}): PetrelError {
  try {
    parse(text, env);
  } catch (error) {
    if (error instanceof PetrelError) return error;
    throw error;
  }
  throw new Error(`it was accepted: ${text}`);
}

async function inFolder(work: (dir: string) => Promise<void> | void): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "petrel-config-"));
  const before = process.cwd();
  try {
    process.chdir(dir);
    await work(dir);
  } finally {
    process.chdir(before);
    await rm(dir, { recursive: true });
  }
}

describe("defaults", () => {
  test("an empty text, and one of comments, is a whole configuration", () => {
    const config = parse("");
    expect(parse("# nothing\n")).toEqual(config);
    expect(config).toMatchObject({
      nats: { servers: ["nats://127.0.0.1:4222"] },
      sre: { every: 300_000, settle: 20_000, timeout: 240_000, baseline_windows: 3 },
      rules: { defaults: {}, services: {} },
      llm: { enabled: true },
      mcp: { writes: false, host: "127.0.0.1" },
      log: { level: "info" },
    });
    expect(config.splunk).toBeUndefined();
    expect(config.prometheus).toBeUndefined();
  });

  test("a section that names a system has defaults of its own", () => {
    const { splunk, prometheus } = parse(
      "splunk: {url: 'https://s:8089', token: t}\nprometheus: {url: 'http://p:9090'}",
    );
    expect(splunk).toMatchObject({ index: "main", service_field: "service", timeout: 240_000 });
    expect(prometheus).toMatchObject({ step: 60_000, range: 120_000, lookback: 3_600_000 });
  });
});

describe("what is refused names the file, the key and what was expected", () => {
  const cases: [what: string, text: string, path: string, says: RegExp][] = [
    ["an unknown section", "splnk: {}", "splnk", /unknown key/],
    ["an unknown key", "sre: {evry: 5m}", "sre.evry", /unknown key/],
    ["an unknown threshold", "rules: {services: {a: {x_max: 1}}}", "rules.services.a.x_max", /unk/],
    ["a prototype's key", "__proto__: {x: 1}", "__proto__", /unknown key/],
    ["a bad URL", "prometheus: {url: 'prom:9090'}", "prometheus.url", /URL/],
    ["a scheme of another kind", "grafana: {url: 'file:///etc/x'}", "grafana.url", /URL/],
    ["a server without a scheme", "nats: {servers: ['h:4222']}", "nats.servers.0", /URL/],
    [
      "a threshold that is a text",
      "rules: {defaults: {http_500_count_max: many}}",
      "rules.defaults.http_500_count_max",
      /expected number/,
    ],
    [
      "a share above 100",
      "rules: {defaults: {jvm_memory_percent_max: 101}}",
      "rules.defaults.jvm_memory_percent_max",
      /100/,
    ],
    [
      "a threshold below zero",
      "rules: {defaults: {latency_mean_ms_max: -1}}",
      "rules.defaults.latency_mean_ms_max",
      /0/,
    ],
    ["a duration without a unit", "sre: {every: 300}", "sre.every", /expected string/],
    ["a duration in words", "sre: {every: five minutes}", "sre.every", /duration such as 30s/],
    ["a duration of nothing", "sre: {every: 0s}", "sre.every", /duration/],
    ["a duration no timer counts to", "sre: {timeout: 25d}", "sre.timeout", /at most 20d/],
    ["a level that is none", "log: {level: loud}", "log.level", /"debug"/],
    ["half a NATS login", "nats: {user: x}", "nats", /user and password go together/],
    ["half a Splunk login", "splunk: {url: 'https://s', user: x}", "splunk", /token, or user and/],
    ["half a Prometheus login", "prometheus: {url: 'http://p', user: x}", "prometheus", /together/],
    ["a Splunk without login", "splunk: {url: 'https://s'}", "splunk", /token, or user and/],
    ["an empty section", "splunk:", "splunk", /expected object/],
    ["a missing address", "prometheus: {}", "prometheus.url", /expected string/],
    ["a list", "- a", "", /mapping/],
    ["a text", "hello", "", /mapping/],
    ["two documents", "sre: {}\n---\nsre: {}", "", /mapping/],
    ["broken YAML", "sre: {every: [", "", /not YAML/],
    ["an alias that holds itself", "rules: &r {services: *r}", "rules.services.services", /deeply/],
  ];
  for (const [what, text, path, says] of cases) {
    test(what, () => {
      const error = refusal(text);
      expect(error.code).toBe("CONFIG_INVALID");
      expect(error.fields.path).toBe(path);
      expect(error.message).toStartWith(`petrel.yaml: ${path}`);
      expect(error.message).toMatch(says);
    });
  }
});

describe("the environment", () => {
  const SPLUNK = "splunk: {url: 'https://s:8089', token: '${SPLUNK_SECRET}'}";

  test("${NAME} is replaced anywhere in a text, in lists too", () => {
    const env = { SPLUNK_SECRET: "t-1", HOST: "nats-0", PORT: "4333" };
    const config = parse(`${SPLUNK}\nnats: {servers: ["nats://\${HOST}:\${PORT}"]}`, env);
    expect(config.splunk?.token).toBe("t-1");
    expect(config.nats.servers).toEqual(["nats://nats-0:4333"]);
  });

  test("a variable that is not set is an error that names it and the key", () => {
    const error = refusal(SPLUNK);
    expect(error.message).toBe("petrel.yaml: splunk.token: the environment has no SPLUNK_SECRET");
    expect(refusal(SPLUNK, { SPLUNK_SECRET: "" }).fields.path).toBe("splunk.token");
  });

  test("a value is text, never YAML and never replaced again", () => {
    const value = "x: [\n\"'#${SPLUNK_SECRET} $& $1";
    expect(parse(SPLUNK, { SPLUNK_SECRET: value }).splunk?.token).toBe(value);
  });

  test("sets what the file leaves out, and no more", () => {
    const env = {
      PETREL_NATS_URL: "nats://a:4222, nats://b:4222",
      SPLUNK_URL: "https://env:8089",
      SPLUNK_TOKEN: "t-env",
      PROMETHEUS_URL: "http://prom:9090",
      GRAFANA_URL: "http://grafana:3000",
      GRAFANA_TOKEN: "g-env",
    };
    const alone = parse("", env);
    expect(alone.nats.servers).toEqual(["nats://a:4222", "nats://b:4222"]);
    expect(alone.splunk).toMatchObject({ url: "https://env:8089", token: "t-env" });
    expect(alone.prometheus?.url).toBe("http://prom:9090");
    expect(alone.grafana).toMatchObject({ url: "http://grafana:3000", token: "g-env" });
    const both = parse("splunk: {url: 'https://file:8089', index: pay}", env);
    expect(both.splunk).toMatchObject({ url: "https://file:8089", token: "t-env", index: "pay" });
  });

  test("an empty variable counts as not set", () => {
    expect(parse("", { SPLUNK_URL: "", PETREL_NATS_URL: "" })).toEqual(parse(""));
  });

  test("the LLM's variables are found when one is set", () => {
    expect(llmEnvironment({})).toBeUndefined();
    expect(llmEnvironment({ OPENAI_API_KEY: "", HOME: "/" })).toBeUndefined();
    expect(llmEnvironment({ OPENAI_API_KEY: "k", HOME: "/" })).toEqual({ OPENAI_API_KEY: "k" });
  });
});

test("no error shows a secret, wherever the mistake is", () => {
  const SECRET = "hunter2-Tr0ub4dor";
  const lines = [
    `nats: {user: petrel, password: ${SECRET}, tokn: x}`,
    `nats: {token: [${SECRET}]}`,
    `nats: {servers: ["${SECRET}"]}`,
    `splunk: {url: "https://u:${SECRET}@", token: ${SECRET}}`,
    `splunk: {url: "${SECRET}", token: "${SECRET}"}`,
    `grafana: {url: 'http://g', token: {a: ${SECRET}}}`,
    `mcp: {token: ${SECRET}, port: ${SECRET}}`,
    `log: {level: ${SECRET}}`,
    `sre: {every: ${SECRET}}`,
    `splunk: {url: 'http://s', token: "\${MINE}", timeout: "\${MINE}"}`,
    `token: "${SECRET}\nsre: {`,
    `token: ${SECRET}: : [`,
    `\ttoken: ${SECRET}`,
  ];
  for (const text of lines) {
    const { message, fields } = refusal(text, { MINE: SECRET });
    expect(message, text).not.toContain(SECRET);
    expect(JSON.stringify(fields)).not.toContain(SECRET);
  }
});

test("any text is a configuration or a CONFIG_INVALID", () => {
  const piece = fc.constantFrom(
    "nats",
    "sre",
    "splunk",
    "url",
    "every",
    "5m",
    ": ",
    "\n",
    "  ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "- ",
    "&a ",
    "*a",
    "!!js ",
    "'",
    '"',
    "${A}",
    "|",
    ">",
    "#",
    "1",
    "null",
    "~",
    "\t",
    "---\n",
  );
  const texts = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((all) => all.join("")),
    fc.string(),
  );
  const property = fc.property(texts, (text) => {
    try {
      expect(parse(text).nats.servers.length).toBeGreaterThan(0);
    } catch (error) {
      expect(error).toMatchObject({ code: "CONFIG_INVALID" });
    }
  });
  fc.assert(property, { seed, numRuns: 2_000 });
});

describe("which file", () => {
  test("the named one, else $PETREL_CONFIG, else ./petrel.yaml, else none", () =>
    inFolder(async (dir) => {
      const level = (options: Parameters<typeof loadConfig>[0]) => loadConfig(options).log.level;
      const env = { PETREL_CONFIG: join(dir, "env.yaml") };
      expect(level({ env: {} })).toBe("info");
      await writeFile("petrel.yaml", "log: {level: warn}");
      await writeFile("env.yaml", "log: {level: error}");
      await writeFile("named.yaml", "log: {level: debug}");
      expect(level({ env: {} })).toBe("warn");
      expect(level({ env: { PETREL_CONFIG: "" } })).toBe("warn");
      expect(level({ env })).toBe("error");
      expect(level({ env, file: "named.yaml" })).toBe("debug");
    }));

  test("one that is named and not there, or a folder, is an error", () =>
    inFolder((dir) => {
      for (const file of ["missing.yaml", dir]) {
        const load = () => loadConfig({ file, env: {} });
        expect(load).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
        expect(load).toThrow(file);
      }
    }));
});
