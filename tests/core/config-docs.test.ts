import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { ConfigSchema } from "../../core/config-schema.ts";
import { type Config, ERROR_CODES, parseConfig, parseDurationMs } from "../../core/mod.ts";

const DOC = await Bun.file(join(import.meta.dir, "../../docs/configuration.md")).text();

const ENV = {
  NATS_PASSWORD: "n-1",
  SPLUNK_TOKEN: "s-1",
  GRAFANA_TOKEN: "g-1",
  WEBHOOK_TOKEN: "w-1",
};

function example(): Config {
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(DOC) ?? [];
  if (yaml === undefined) throw new Error("docs/configuration.md has no YAML example");
  return parseConfig(yaml, ENV, "the example");
}

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
}

/** Every key of the schema that holds a value, as `section.key`; a list's items count as its keys. */
function keysOf(node: Node, path: readonly string[] = []): string[] {
  const inner = node.items?.properties ?? node.properties;
  const nested = Object.entries(inner ?? {}).flatMap(([key, child]) =>
    keysOf(child, [...path, key]),
  );
  if (path.length === 0) return nested;
  return node.properties === undefined ? [path.join("."), ...nested] : nested;
}

const KEYS = keysOf(z.toJSONSchema(ConfigSchema, { io: "input", unrepresentable: "any" }) as Node);

/** The line of the table that tells of a key. */
function rowOf(key: string): string | undefined {
  return DOC.split("\n").find((line) => line.startsWith(`| \`${key}\``));
}

function valueAt(config: unknown, key: string): unknown {
  return key
    .split(".")
    .reduce<unknown>((node, name) => (node as Record<string, unknown> | undefined)?.[name], config);
}

/** The default the document tells, read as a value of the same kind as `value`. */
function toldDefault(key: string, value: unknown): unknown {
  const cell = /`([^`]*)`/.exec(
    rowOf(key)
      ?.split(" | ")
      .slice(key.startsWith("rules.") ? 1 : 2)[0] ?? "",
  )?.[1];
  if (cell === undefined) return undefined;
  if (typeof value === "number" && /[a-z]$/.test(cell)) return parseDurationMs(cell);
  return typeof value === "string" ? cell : Bun.YAML.parse(cell);
}

describe("docs/configuration.md", () => {
  test("its example is a configuration", () => {
    const config = example();
    expect(config.nats.password).toBe("n-1");
    expect(config.splunk).toMatchObject({ token: "s-1", index: "payments" });
    expect(config.rules.services["payment-service"]?.http_500_count_max).toBe(20);
    expect(config.alarms.webhook?.headers).toEqual({ authorization: "Bearer w-1" });
    expect(config.sre.settle).toBe(30_000);
  });

  test("has a line for every key of the schema, and none for another", () => {
    expect(KEYS.length).toBeGreaterThan(50);
    expect(KEYS.filter((key) => rowOf(key) === undefined)).toEqual([]);
    const told = [...DOC.matchAll(/^\| `([a-z_][a-z0-9_.]*)`/gm)].map(([, key]) => key ?? "");
    expect(told.filter((key) => !KEYS.includes(key))).toEqual([]);
  });

  test("tells the defaults as they are", () => {
    const addresses = ["prometheus", "grafana"].map((name) => `${name}: {url: 'http://h'}`);
    const text = `splunk: {url: 'http://h', token: t}\nalarms: {webhook: {url: 'http://h'}}\n`;
    const defaults = parseConfig(text + addresses.join("\n"), {}, "the defaults");
    const checked = KEYS.map((key) => [key, valueAt(defaults, key)] as const).filter(
      ([key, value]) => value !== undefined && !/\.(url|token)$/.test(key),
    );
    expect(checked.length).toBeGreaterThan(25);
    for (const [key, value] of checked)
      expect([key, toldDefault(key, value)]).toEqual([key, value]);
  });

  test("lists every exit code", () => {
    for (const { exitCode } of Object.values(ERROR_CODES)) {
      expect(DOC).toMatch(new RegExp(`\\n\\| ${exitCode} +\\| `));
    }
  });
});
