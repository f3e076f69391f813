/** From the configuration to the toolbox. */
import { afterAll, describe, expect, test } from "bun:test";
import { toolsOf } from "../../cli/tools.ts";
import { parseConfig, redact } from "../../core/mod.ts";
import { failureOf } from "../support/failure.ts";

const never = new AbortController().signal;
const closers: AsyncDisposable[] = [];
afterAll(async () => {
  for (const each of closers) await each[Symbol.asyncDispose]();
});

const config = (yaml: string) => parseConfig(yaml, { TOKEN: "t-1" }, "petrel.yaml");
const SYSTEMS = `
splunk: { url: "http://127.0.0.1:1", token: "\${TOKEN}" }
prometheus: { url: "http://127.0.0.1:1" }
grafana: { url: "http://127.0.0.1:1", token: "\${TOKEN}" }
mcp: { writes: true }
`;

async function namesOf(yaml: string, env = {}): Promise<string[] | undefined> {
  const toolbox = await toolsOf(config(yaml), redact, { env });
  if (!toolbox) return undefined;
  closers.push(toolbox);
  return (await toolbox.list(never)).map(({ name }) => name);
}

/** Serves nothing, and says what it was given. */
const SERVER = `${import.meta.dir}/tools.fixture.ts`;

describe("tools", () => {
  test("none without systems and servers", async () => {
    expect(await namesOf("")).toBeUndefined();
    expect(await namesOf(`${SYSTEMS}tools: { own: false }`)).toBeUndefined();
  });

  test("our own read, whatever mcp.writes says", async () => {
    expect(await namesOf(SYSTEMS)).toEqual([
      "query_splunk",
      "splunk_digest",
      "query_prometheus",
      "get_grafana_dashboard",
    ]);
    const toolbox = await toolsOf(config(SYSTEMS), redact);
    const grafana = (await toolbox?.list(never))?.at(-1);
    const action = { enum: ["search", "summary"] };
    expect(grafana?.input).toMatchObject({ properties: { action } });
  });

  test("a server's program gets the variables that are named", async () => {
    const server = `name: local, command: ["${process.execPath}", "${SERVER}"], env: [PETREL_TEST_ONE]`;
    const yaml = `tools: { servers: [{ ${server}, allow: [shown] }] }`;
    const toolbox = await toolsOf(config(yaml), redact, {
      env: { PETREL_TEST_ONE: "one", PETREL_TEST_TWO: "two" },
    });
    if (!toolbox) throw new Error("no toolbox");
    closers.push(toolbox);
    await toolbox.list(never);
    const { text } = await toolbox.call("local__shown", {}, never);
    expect(text).toContain("PETREL_TEST_ONE=one");
    expect(text).not.toContain("PETREL_TEST_TWO");
    const missing = await failureOf(toolsOf(config(yaml), redact, { env: {} }));
    expect(missing).toMatchObject({
      code: "CONFIG_INVALID",
      fields: { path: "tools.servers.local.env" },
    });
  });

  test("a certificate that is not there is told by its key", async () => {
    const yaml = `tools: { servers: [{ name: a, url: "https://127.0.0.1:1/mcp", ca_file: /no/such }] }`;
    const { fields } = await failureOf(toolsOf(config(yaml), redact));
    expect(fields["path"]).toBe("tools.servers.a.ca_file");
  });

  const wrong: [string, RegExp][] = [
    ["servers: [{ name: a }]", /needs url or command/],
    ['servers: [{ name: a, url: "http://h", command: [x] }]', /needs url or command/],
    ["servers: [{ name: a, command: [x], token: t }]", /token and ca_file go with url/],
    ['servers: [{ name: a, url: "http://h", env: [A] }]', /env goes with command/],
    ['servers: [{ name: A__b, url: "http://h" }]', /must be 1 to 31/],
    ['servers: [{ name: own, url: "http://h" }]', /must not be "own"/],
    ['servers: [{ name: a, url: "http://h" }, { name: a, url: "http://h" }]', /names must differ/],
    ['servers: [{ name: a, url: "file:///x" }]', /url/i],
    ['servers: [{ name: a, url: "http://h", allow: ["a b"] }]', /name of a tool/],
    [
      'servers: [{ name: a, url: "http://h", rules: [{ tool: t, argument: a, language: sql }] }]',
      /language/,
    ],
    ["result_chars_max: 1", /result_chars_max/],
    ["other: 1", /unknown key/],
  ];
  for (const [yaml, why] of wrong)
    test(`refused: ${yaml}`, () => expect(() => config(`tools: { ${yaml} }`)).toThrow(why));
});
