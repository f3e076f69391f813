/** Requests for tests: valid ones, as others may write them, and broken in one place. */
import * as fc from "fast-check";
import {
  type Field,
  type Method,
  REQUESTS,
  snakeOf,
  type Type,
  withoutDefaults,
} from "./params-model.ts";

/** A valid request in its canonical form. */
export function requestOf(method: Method): fc.Arbitrary<unknown> {
  return valueOf(REQUESTS[method]);
}

/** The same request as ProtoJSON lets others write it. */
export function variantOf(method: Method, request: unknown): fc.Arbitrary<unknown> {
  return written(REQUESTS[method], request);
}

const unicode = (maxLength: number, minLength = 0) =>
  fc.string({ unit: "binary", maxLength, minLength });
/** JSON in which a number is itself again after it was written and read. */
const json = fc
  .jsonValue({ maxDepth: 3, stringUnit: "binary" })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown);

function valueOf(type: Type): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case "text":
      return unicode(12);
    case "id":
      return unicode(12, 1);
    case "bool":
      return fc.boolean();
    case "int":
      return fc.nat();
    case "time":
      return fc
        .date({ min: new Date(0), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true })
        .map((date) => date.toISOString());
    case "bytes":
      return fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString("base64"));
    case "struct":
      return fc.dictionary(unicode(6), json, { maxKeys: 3 });
    case "value":
      return json.filter((value) => value !== null);
    case "enum":
      return fc.constantFrom(...type.names.slice(1));
    case "list":
      return fc.array(valueOf(type.of), { minLength: 1, maxLength: 3 });
    default:
      return type.oneof ? unionOf(type, type.oneof) : messageOf(type.fields);
  }
}

function messageOf(fields: readonly Field[]): fc.Arbitrary<Record<string, unknown>> {
  const values = Object.fromEntries(fields.map(({ name, type }) => [name, valueOf(type)]));
  const requiredKeys = fields.filter(({ isRequired }) => isRequired).map(({ name }) => name);
  return fc
    .record(values, { requiredKeys, noNullPrototype: true })
    .map((made) => withoutDefaults(fields, made))
    .filter((made) => requiredKeys.every((name) => name in made));
}

function unionOf(
  { fields }: { readonly fields: readonly Field[] },
  oneof: readonly string[],
): fc.Arbitrary<Record<string, unknown>> {
  const others = fields.filter(({ name }) => !oneof.includes(name));
  const branches = fields.filter(({ name }) => oneof.includes(name));
  const content = fc.oneof(
    ...branches.map(({ name, type }) => valueOf(type).map((value) => ({ [name]: value }))),
  );
  return fc.tuple(content, messageOf(others)).map(([one, rest]) => ({ ...one, ...rest }));
}

function written(type: Type, value: unknown): fc.Arbitrary<unknown> {
  if (type.kind === "int") return fc.constantFrom(value, String(value), Number(value));
  if (type.kind === "enum") return fc.constantFrom(value, type.names.indexOf(String(value)));
  if (type.kind === "bytes") {
    const bytes = Buffer.from(String(value), "base64");
    const url = bytes.toString("base64url");
    return fc.constantFrom(value, url, `${url}${"=".repeat((4 - (url.length % 4)) % 4)}`);
  }
  if (type.kind === "list" && Array.isArray(value)) {
    return fc.tuple(...value.map((one: unknown) => written(type.of, one))).map((all) => [...all]);
  }
  if (type.kind === "message") return writtenMessage(type.fields, value as Record<string, unknown>);
  return fc.constant(value);
}

/** Under either name, with what is absent as null, and with fields nobody knows. */
function writtenMessage(
  fields: readonly Field[],
  value: Readonly<Record<string, unknown>>,
): fc.Arbitrary<unknown> {
  const entries = fields.map(({ name, type }) => {
    const key = fc.constantFrom(name, snakeOf(name));
    if (name in value) return fc.tuple(key, written(type, value[name]));
    return fc.tuple(key, fc.constantFrom(null, undefined));
  });
  const unknown = fc.tuple(fc.constantFrom("kind", "petrelTestsKnowNoSuchField"), json);
  return fc
    .tuple(fc.tuple(...entries), fc.array(unknown, { maxLength: 1 }))
    .map(([known, more]) => Object.fromEntries([...known, ...more]));
}

/** The value with something else, anywhere in it. */
export function mutated(value: unknown): fc.Arbitrary<unknown> {
  const other = fc.oneof(
    json,
    fc.constantFrom(
      "",
      "1",
      "-1",
      "1.5",
      -1,
      1.5,
      2 ** 40,
      true,
      "true",
      null,
      [],
      {},
      [null],
      "\ud800",
      "====",
      "ROLE_USER",
    ),
  );
  const places = placesOf(value);
  return fc
    .tuple(fc.constantFrom(...places), other)
    .map(([place, instead]) => replaced(value, place, instead));
}

type Place = readonly (string | number)[];

function placesOf(value: unknown): Place[] {
  if (typeof value !== "object" || value === null) return [[]];
  const inner = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [
    [],
    ...inner.flatMap(([key, one]) => placesOf(one).map((place): Place => [key, ...place])),
  ];
}

function replaced(value: unknown, place: Place, instead: unknown): unknown {
  const [key, ...rest] = place;
  if (key === undefined) return instead;
  if (Array.isArray(value)) {
    return value.map((one: unknown, at) => (at === key ? replaced(one, rest, instead) : one));
  }
  return Object.fromEntries(
    Object.entries(value as object).map(([name, one]: [string, unknown]) => [
      name,
      name === key ? replaced(one, rest, instead) : one,
    ]),
  );
}
