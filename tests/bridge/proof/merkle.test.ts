import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { leafHash, subtreeSizes, Tree } from "../../../bridge/proof/merkle.ts";
import { makeRecord } from "./trail.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const sha256 = (...parts: readonly (Uint8Array | string)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};
const leafOf = (data: Uint8Array) => sha256(Buffer.of(0), data);

/** RFC 6962 section 2.1, word by word. */
function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return sha256("");
  if (leaves.length === 1) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return sha256(Buffer.of(1), naiveRoot(left), naiveRoot(right));
}

const manyLeaves = fc
  .integer({ min: 0, max: 130 })
  .map((count) => Array.from({ length: count }, (_, at) => leafOf(Buffer.from(`leaf ${at}`))));

test("the reference roots of Certificate Transparency", () => {
  const inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"];
  const tree = new Tree();
  const roots = [hex(tree.root())];
  for (const input of [...inputs, "606162636465666768696a6b6c6d6e6f"]) {
    tree.append(leafOf(Buffer.from(input, "hex")));
    roots.push(hex(tree.root()));
  }
  expect(roots).toEqual([
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ]);
});

test("the root is the one of the definition, also after a restart in the middle", () => {
  const property = fc.property(manyLeaves, fc.nat(), (leaves, at) => {
    const split = at % (leaves.length + 1);
    const before = new Tree();
    for (const leaf of leaves.slice(0, split)) before.append(leaf);
    const after = new Tree(before.size, before.frontier);
    after.appendAll(Buffer.concat(leaves.slice(split)));
    expect(hex(after.root())).toBe(hex(naiveRoot(leaves)));
    expect(after.size).toBe(leaves.length);
    expect(hex(before.root())).toBe(hex(naiveRoot(leaves.slice(0, split))));
  });
  fc.assert(property, { seed, numRuns: 200 });
});

test("a tree larger than 2^32 leaves grows as any other", () => {
  const size = 2 ** 40 + 3;
  const subtrees = subtreeSizes(size).map((count) => sha256(`subtree of ${count}`));
  expect(subtreeSizes(size)).toEqual([2 ** 40, 2, 1]);
  const tree = new Tree(size, Buffer.concat(subtrees));
  const leaf = sha256("the next leaf");
  tree.append(leaf);
  const [large, two, one] = subtrees;
  if (!large || !two || !one) throw new Error("there are three subtrees");
  const four = sha256(Buffer.of(1), two, sha256(Buffer.of(1), one, leaf));
  expect(hex(tree.frontier)).toBe(hex(Buffer.concat([large, four])));
});

test("a frontier that does not fit its size is refused", () => {
  expect(() => new Tree(3, new Uint8Array(32))).toThrow("a frontier of 2 hashes");
  expect(() => new Tree(0, new Uint8Array(32))).toThrow("a frontier of 0 hashes");
  expect(() => new Tree().append(new Uint8Array(31))).toThrow("32 bytes");
  expect(() => new Tree().appendAll(new Uint8Array(33))).toThrow("mid-hash");
});

test("a leaf hash covers topic, key, time, headers and value as the design says", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 40 });
  const record = fc.record({
    topic: text,
    key: text,
    value: fc.uint8Array({ maxLength: 60_000 }).map((bytes) => Buffer.from(bytes)),
    headers: fc.dictionary(text, text),
    timestampMs: fc.nat(),
  });
  const property = fc.property(record, (one) => {
    const pairs = Object.entries(one.headers).sort(([a], [b]) => (a < b ? -1 : 1));
    const head = JSON.stringify([one.topic, one.key, one.timestampMs, pairs]);
    const data = Buffer.concat([Buffer.from(`${head}\n`), one.value]);
    expect(hex(leafHash(one))).toBe(hex(leafOf(data)));
  });
  fc.assert(property, { seed, numRuns: 200 });
});

test("the order in which headers were set does not count", () => {
  const record = makeRecord(7, "audit.requests", "ctx-1");
  const headers = Object.fromEntries(Object.entries(record.headers).toReversed());
  expect(hex(leafHash({ ...record, headers }))).toBe(hex(leafHash(record)));
});
