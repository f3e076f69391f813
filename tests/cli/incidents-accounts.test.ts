/** `petrel incidents` under the permissions of deploy/nats, word for word: the server refuses nothing of it. */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "nats";
import { AuditAccess } from "../../a2a/mod.ts";
import { makeLogger } from "../../core/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { makeMeshStorage } from "../support/mesh-storage.ts";
import { productionAccounts, startNats } from "../support/nats.ts";
import { petrel } from "./command.ts";
import { incidentsAgent } from "./incidents-agent.ts";
import { POOL_ID, poolIncident } from "./incidents-fixtures.ts";

test("a person asks as cli, and the SRE agent answers as sre", async () => {
  await using nats = await startNats(await productionAccounts());
  const admin = await connect({ servers: nats.url, user: "admin", pass: "admin" });
  await makeMeshStorage(admin);
  await admin.close();
  const refused: string[] = [];
  const write = (line: string) => {
    if (/nats\.error|violation/i.test(line)) refused.push(line);
  };
  const log = makeLogger({ level: "debug", pretty: false, write });
  const account = { user: "bridge", password: "bridge" };
  const servers = [nats.url];
  // Makes the stream of the audit, without which nobody joins.
  const bridge = await AuditAccess.open({
    servers,
    name: "bridge",
    account,
    log,
    retentionDays: 30,
  });
  const sre = await openMesh(nats.url, "sre", { user: "sre", password: "sre", log });
  await sre.serve(incidentsAgent({ incidents: [poolIncident()], silences: [], maintenance: [] }));

  const dir = await mkdtemp(join(tmpdir(), "petrel-incidents-"));
  const config = join(dir, "petrel.yaml");
  await Bun.write(config, `nats: { servers: ["${nats.url}"], user: cli, password: cli }\n`);
  for (const words of [
    [],
    ["show", POOL_ID],
    ["confirm", POOL_ID],
    ["silences"],
    ["redeliver", POOL_ID],
  ]) {
    const { code, err } = await petrel(["incidents", ...words, "--config", config]);
    expect([code, err]).toEqual([0, ""]);
  }
  const unknown = await petrel(["incidents", "show", "ffff", "--config", config]);
  expect(unknown).toMatchObject({ code: 1, err: 'petrel: there is no incident "ffff"\n' });
  expect(refused).toEqual([]);
  await rm(dir, { recursive: true });
  await Promise.all([sre.close(), bridge.close()]);
});
