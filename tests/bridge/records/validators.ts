/** The schemas of schemas/, compiled by validators that are not ours. */
import { join } from "node:path";
import Ajv, { type ValidateFunction } from "ajv";
import avsc from "avsc";

export const SCHEMAS = join(import.meta.dir, "../../../schemas");

export type Json = Record<string, unknown>;

export async function readSchema(path: string): Promise<Json> {
  const schema: unknown = JSON.parse(await Bun.file(join(SCHEMAS, path)).text());
  if (typeof schema !== "object" || schema === null) throw new Error(`${path}: no object`);
  return { ...schema };
}

/** A validator that refuses words it does not know in a schema. */
export function jsonValidator(schema: Json): ValidateFunction {
  const ajv = new Ajv({
    strict: true,
    allowUnionTypes: true,
    strictRequired: false,
    strictTypes: false,
  });
  return ajv.compile(schema);
}

export function avroType(schema: unknown): avsc.Type {
  return avsc.Type.forSchema(JSON.parse(JSON.stringify(schema)), { wrapUnions: true });
}
