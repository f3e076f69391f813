/** Logging in with key pairs and certificates, and what is said when a login's file is wrong. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nkeys } from "@nats-io/nats-core";
import { messageOf } from "../../core/mod.ts";
import { startNats } from "../support/nats.ts";
import { testRuntime } from "../support/runtime.ts";
import { openMesh } from "./echo.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "petrel-connect-"));
});
afterAll(() => rm(folder, { recursive: true }));

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test("a user's nkey logs in with its seed alone; another's does not", async () => {
  const [known, unknown] = [nkeys.createUser(), nkeys.createUser()];
  const config = `authorization { users: [ { nkey: ${known.getPublicKey()} } ] }`;
  await using nats = await startNats({ config });
  const files = [join(folder, "known.nk"), join(folder, "unknown.nk")] as const;
  await Bun.write(files[0], known.getSeed());
  await Bun.write(files[1], `-----BEGIN USER NKEY SEED-----\n${text(unknown.getSeed())}\n------\n`);
  const mesh = await openMesh(nats.url, "host", { credentialsFile: files[0] });
  await mesh.close();
  const refused = await failureOf(openMesh(nats.url, "host", { credentialsFile: files[1] }));
  expect(refused).toMatchObject({ code: "UNAUTHENTICATED" });
});

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("a credentials file that is missing, or holds no credentials, is named", async () => {
  const empty = join(folder, "empty.nk");
  await Bun.write(empty, "not a seed");
  for (const file of [empty, join(folder, "missing.creds")]) {
    const failure = await failureOf(
      openMesh("nats://127.0.0.1:1", "host", { credentialsFile: file }),
    );
    expect(failure).toMatchObject({ code: "CONFIG_INVALID", fields: { path: "credentials_file" } });
    expect(messageOf(failure)).toContain(file);
  }
});

const isLocal = (await testRuntime()) === "local";
const reason = isLocal
  ? Bun.which("openssl") === null && "no openssl"
  : "the server's files would have to be in its container";
if (reason) console.error(`TLS to NATS is not tried: ${reason}`);

describe.skipIf(Boolean(reason))("TLS with client certificates", () => {
  const at = (name: string) => join(folder, name);

  /** A certificate signed by the authority, for this machine's address. */
  function certify(name: string): void {
    run(
      `req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=${name} -keyout ${at(`${name}.key`)} -out ${at(`${name}.csr`)}`,
    );
    run(
      `x509 -req -in ${at(`${name}.csr`)} -CA ${at("ca.pem")} -CAkey ${at("ca.key")} -CAcreateserial -days 2 -extfile ${at("ext")} -out ${at(`${name}.pem`)}`,
    );
  }

  function run(command: string): void {
    const done = Bun.spawnSync(["openssl", ...command.split(" ")]);
    if (done.exitCode !== 0) throw new Error(`openssl ${command}: ${done.stderr.toString()}`);
  }

  test("who shows a certificate of the authority joins; who shows none is refused", async () => {
    run(
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ca -keyout ${at("ca.key")} -out ${at("ca.pem")}`,
    );
    await Bun.write(at("ext"), "subjectAltName=IP:127.0.0.1\n");
    certify("server");
    certify("agent");
    const config = `tls {
      cert_file: "${at("server.pem")}", key_file: "${at("server.key")}"
      ca_file: "${at("ca.pem")}", verify: true
    }`;
    await using nats = await startNats({ config });
    const tls = { caFile: at("ca.pem"), certFile: at("agent.pem"), keyFile: at("agent.key") };
    const mesh = await openMesh(nats.url, "host", { tls });
    await mesh.close();
    const bare = { tls: { caFile: at("ca.pem") }, connectTimeoutMs: 1_000 };
    expect(await failureOf(openMesh(nats.url, "host", bare))).toMatchObject({
      code: "UNAVAILABLE",
    });
  });
});
