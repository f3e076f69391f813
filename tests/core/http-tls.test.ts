/** TLS as Splunk needs it: a private authority, and a certificate that carries another name. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HttpTls, httpRequest, readBytes } from "../../core/mod.ts";

const NAME = "SplunkServerDefaultCert";

describe.skipIf(Bun.which("openssl") === null)("TLS", () => {
  let folder = "";
  let url = "";
  let ca = "";
  let stop = () => Promise.resolve();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "petrel-tls-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    const subject = `/CN=${NAME}/O=SplunkUser`;
    const made = Bun.spawnSync(
      command.split(" ").concat("-days", "2", "-subj", subject, "-keyout", key, "-out", cert),
    );
    expect(made.exitCode).toBe(0);
    ca = await Bun.file(cert).text();
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { key: Bun.file(key), cert: Bun.file(cert) },
      fetch: () => new Response("fine"),
    });
    stop = () => server.stop(true);
    url = `https://127.0.0.1:${server.port}/`;
  });

  afterAll(async () => {
    await stop();
    await rm(folder, { recursive: true });
  });

  const call = async (tls?: HttpTls) => {
    const request = { system: "splunk", url, timeoutMs: 5_000 };
    const response = await httpRequest(tls === undefined ? request : { ...request, tls });
    return Buffer.from(await readBytes(response, 100)).toString();
  };

  test("a certificate nobody vouches for is refused", async () => {
    await expect(call()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("a known authority is not enough when the name differs", async () => {
    await expect(call({ ca })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("a known authority and the certificate's own name pass", async () => {
    expect(await call({ ca, certificateName: NAME })).toBe("fine");
  });

  test("a third name does not", async () => {
    await expect(call({ ca, certificateName: "other" })).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
  });
});
