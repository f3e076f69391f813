import { expect, test } from "bun:test";
import { join } from "node:path";
import { YAML } from "bun";
import { z } from "zod";
import { parseConfig } from "../../core/mod.ts";
import { IMAGES } from "../support/containers.ts";

const ROOT = join(import.meta.dir, "../..");
const read = (path: string) => Bun.file(join(ROOT, path)).text();

const Service = z.object({
  image: z.string().optional(),
  build: z.string().optional(),
  ports: z.array(z.string()).default([]),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
});
const Compose = z.object({ services: z.record(z.string(), Service) });

const { services } = Compose.parse(YAML.parse(await read("docker-compose.yml")));

test("every image is pinned, every port is this machine's own, every service tells its health", async () => {
  expect(Object.keys(services).sort()).toEqual([
    "bridge",
    "grafana",
    "kafka",
    "nats",
    "petrel",
    "prometheus",
  ]);
  const dockerfile = await read("Dockerfile");
  for (const { image, ports, healthcheck } of Object.values(services)) {
    if (image === undefined) {
      expect(dockerfile).toContain("HEALTHCHECK");
    } else {
      expect(image).toMatch(/:v?\d+\.\d+\.\d+/);
      expect(healthcheck).toBeDefined();
    }
    for (const port of ports) expect(port).toStartWith("127.0.0.1:");
  }
  expect(dockerfile).toMatch(/^USER \d+$/m);
});

test("one version of everything: compose, the tests' containers, the Dockerfile, the bootstrap", async () => {
  expect(services.nats?.image).toBe(IMAGES.nats.name);
  expect(services.prometheus?.image).toBe(IMAGES.prometheus.name);
  const bun = /^bun_version=(\S+)$/m.exec(await read("deploy/bootstrap.sh"))?.[1];
  expect(await read("Dockerfile")).toContain(`FROM oven/bun:${bun}-`);
});

test("the stack's configuration is one Petrel accepts", async () => {
  const config = parseConfig(await read("deploy/compose/petrel.yaml"), {}, "petrel.yaml");
  expect(config.nats.servers).toEqual(["nats://nats:4222"]);
  expect(config.prometheus?.url).toBe("http://prometheus:9090");
});
