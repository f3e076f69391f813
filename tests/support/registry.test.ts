import { expect } from "bun:test";
import { startRegistry, testWithRegistry } from "./registry.ts";

const test = await testWithRegistry();

const SUBJECT = "petrel-value";

test("a schema is registered, found by its number, and an incompatible one is refused", async () => {
  await using registry = await startRegistry();
  const call = async (method: string, path: string, body: unknown) => {
    const response = await fetch(`${registry.url}${path}`, {
      method,
      headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    return { status: response.status, answer };
  };
  const avro = (fields: readonly object[]) => ({
    schemaType: "AVRO",
    schema: JSON.stringify({ type: "record", name: "Call", fields }),
  });
  const first = [{ name: "id", type: "string" }];
  const versions = `/subjects/${SUBJECT}/versions`;

  expect(await call("PUT", "/config", { compatibility: "BACKWARD" })).toMatchObject({
    status: 200,
  });
  const { status, answer } = await call("POST", versions, avro(first));
  expect({ status, answer }).toMatchObject({ status: 200, answer: { id: expect.any(Number) } });
  const latest = await call("GET", `${versions}/latest`, undefined);
  expect(latest).toMatchObject({ status: 200, answer: { subject: SUBJECT, version: 1 } });

  const withDefault = [...first, { name: "shard", type: "int", default: 0 }];
  const withoutDefault = [...first, { name: "shard", type: "int" }];
  expect(await call("POST", versions, avro(withoutDefault))).toMatchObject({ status: 409 });
  expect(await call("POST", versions, avro(withDefault))).toMatchObject({ status: 200 });
});
