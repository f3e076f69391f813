/** The audit of the compose stack: an account of its own, which the bridge alone can log in to. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { YAML } from "bun";
import { connect } from "nats";
import { z } from "zod";
import { AUDIT_STREAM, AuditAccess } from "../../a2a/mod.ts";
import { parseConfig, silentLogger } from "../../core/mod.ts";
import { echo, openMesh, request } from "../a2a/echo.ts";
import { startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";

const ROOT = join(import.meta.dir, "../..");
const read = (path: string) => Bun.file(join(ROOT, path)).text();
const PASSWORD = "secret";

const Service = z.object({
  environment: z.record(z.string(), z.string()),
  volumes: z.array(z.string()),
});
const Compose = z.object({
  services: z.object({ petrel: Service, bridge: Service }),
  volumes: z.record(z.string(), z.null()),
});

async function bridgeConfig() {
  const env = { PETREL_AUDIT_PASSWORD: PASSWORD };
  return parseConfig(await read("deploy/compose/bridge.yaml"), env, "bridge.yaml");
}

test("the bridge's configuration names the AUDIT account and Kafka; the agents' names neither", async () => {
  const bridge = await bridgeConfig();
  expect(bridge.audit.account).toEqual({ user: "audit", password: PASSWORD });
  expect(bridge.kafka?.brokers).toEqual(["kafka:9092"]);
  const agents = parseConfig(await read("deploy/compose/petrel.yaml"), {}, "petrel.yaml");
  expect(agents.audit.account).toBeUndefined();
  expect(agents.kafka).toBeUndefined();

  const { services, volumes } = Compose.parse(YAML.parse(await read("docker-compose.yml")));
  expect(services.petrel.environment.PETREL_AUDIT_PASSWORD).toBe("");
  expect(services.bridge.environment.PETREL_AUDIT_PASSWORD).toBeTruthy();
  const kept = { petrel: agents.audit.outbox_dir, bridge: bridge.bridge.checkpoint.file };
  for (const [volume, path] of Object.entries(kept)) {
    expect(Object.keys(volumes)).toContain(volume);
    expect(services[volume as keyof typeof kept].volumes).toContain(`${volume}:/var/lib/petrel`);
    expect(path).toStartWith("/var/lib/petrel/");
  }
});

test("agents without a login report to the AUDIT account, and cannot reach it", async () => {
  const text = await read("deploy/compose/nats.conf");
  const accounts = text.slice(text.indexOf("accounts {"));
  await using nats = await startNats({ config: `PETREL_AUDIT_PASSWORD: ${PASSWORD}\n${accounts}` });
  const { audit } = await bridgeConfig();
  const bridge = await AuditAccess.open({
    servers: [nats.url],
    name: "bridge",
    account: { user: audit.account?.user ?? "", password: audit.account?.password ?? "" },
    log: silentLogger,
    retentionDays: audit.retention_days,
  });
  const mesh = await openMesh(nats.url, "host");
  await mesh.serve(echo);
  await mesh.transport("echo").sendMessage(request({}));
  await until("both ends' reports", async () => {
    const { state } = await bridge.jsm.streams.info(AUDIT_STREAM);
    return state.messages > 0;
  });

  const agent = await connect({ servers: nats.url });
  const jsm = await jetstream(agent).jetstreamManager();
  await expect(jsm.streams.info(AUDIT_STREAM)).rejects.toThrow(/stream not found/);
  const second = jsm.streams.add({ name: AUDIT_STREAM, subjects: ["audit.>"] });
  await expect(second).rejects.toThrow(/Permissions Violation/);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  agent.subscribe("audit.>", { callback: (error) => resolve(error) });
  expect(String(await promise)).toContain("Permissions Violation");
  await Promise.all([mesh.close(), bridge.close(), agent.close()]);
});
