/** What stands in the stream is read strictly: each field of a pack's header, each record of a pack. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  formatPackHeader,
  type PackKind,
  packRecords,
  parsePackHeader,
  RecordMeta,
  unpack,
} from "../../a2a/mod.ts";
import { record } from "../support/audit-records.ts";
import { failureOf } from "../support/failure.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

describe("the header of a pack", () => {
  test("comes out as it went in", () => {
    const count = fc.nat(Number.MAX_SAFE_INTEGER);
    const header = fc.record({
      sender: fc.uuid(),
      pack: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      reported: count,
      lost: count,
      kind: fc.constantFrom<PackKind>("open", "beat", "end"),
    });
    fc.assert(
      fc.property(header, (given) => {
        expect(parsePackHeader(formatPackHeader(given))).toEqual(given);
      }),
      { seed },
    );
  });

  test.each([
    ["", "version"],
    ["2 s 1 0 0 open", "version"],
    ["1  1 0 0 open", "sender"],
    ["1 a.b 1 0 0 open", "sender"],
    ["1 s 0 0 0 open", "pack"],
    ["1 s 01 0 0 open", "pack"],
    ["1 s 1e3 0 0 open", "pack"],
    ["1 s 9007199254740993 0 0 open", "pack"],
    ["1 s 1 -1 0 open", "reported"],
    ["1 s 1 0", "lost"],
    ["1 s 1 0 0", "kind"],
    ["1 s 1 0 0 shut", "kind"],
    ["1 s 1 0 0 open more", "kind"],
    ["1 s 1 0 0 open\n", "kind"],
  ])("%p is refused for its %s", async (text, place) => {
    const failure = await failureOf(Promise.try(() => parsePackHeader(text)));
    expect(failure).toMatchObject({ code: "PROTOCOL_VIOLATION", fields: { place } });
  });
});

describe("a pack", () => {
  const pack = packRecords(
    ["one", "two", "three"].map((id) => record(id, "agent", `body of ${id}`)),
  );

  test("cut anywhere: what was whole is read, and the rest named", () => {
    for (let length = 0; length < pack.length; length++) {
      const { records, malformed } = unpack(pack.subarray(0, length));
      expect(records.map(({ id }) => id)).toEqual(["one", "two", "three"].slice(0, records.length));
      if (!malformed) {
        expect(packRecords(records)).toEqual(pack.slice(0, length));
        continue;
      }
      const at = packRecords(records).length;
      expect(malformed).toEqual({
        index: records.length,
        place: `byte ${at}`,
        rest: pack.subarray(at, length),
      });
    }
    expect(unpack(pack)).toMatchObject({ records: { length: 3 } });
  });

  test.each([
    ["id", "a b"],
    ["id", "x".repeat(201)],
    ["id", "line\nbreak"],
    ["method", "Send Message"],
    ["caller", "a.b"],
    ["agent", ""],
    ["instance", "*"],
    ["traceparent", "00-0-0-01"],
    ["kind", "other"],
    ["bytes", -1],
  ])("a record whose %s is %p is no record", (field, value) => {
    const { body: _, ...meta } = record("id", "caller");
    expect(RecordMeta.safeParse(meta).success).toBe(true);
    expect(RecordMeta.safeParse({ ...meta, [field]: value }).success).toBe(false);
  });
});
