import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { Tree } from "../../../bridge/proof/merkle.ts";
import {
  type LeafSource,
  proveConsistency,
  proveInclusion,
  verifyConsistency,
  verifyInclusion,
} from "../../../bridge/proof/proofs.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const hash = (text: string) => new Uint8Array(Bun.SHA256.hash(text).buffer);
const LEAVES = Array.from({ length: 160 }, (_, at) => hash(`leaf ${at}`));

function treeOf(size: number): Tree {
  const tree = new Tree();
  for (const leaf of LEAVES.slice(0, size)) tree.append(leaf);
  return tree;
}

const rootOf = (size: number) => treeOf(size).root();
const leafOf = (index: number) => LEAVES[index] ?? new Uint8Array();

/** The leaves from `first` on, in chunks of `step` hashes. */
function sourceOf(first = 0, step = 7): LeafSource {
  const hashes = function* () {
    for (let at = first; at < LEAVES.length; at += step)
      yield Buffer.concat(LEAVES.slice(at, at + step));
  };
  return { first, frontier: treeOf(first).frontier, hashes: hashes() };
}

/** One bit of one hash is another. */
function flipped(proof: readonly Uint8Array[], at: number): Uint8Array[] {
  const copy = proof.map((one) => one.slice());
  const target = copy[at % copy.length];
  if (target) target[at % 32] = (target[at % 32] ?? 0) ^ (1 << (at % 8));
  return copy;
}

const sizes = fc.integer({ min: 1, max: LEAVES.length / 2 - 1 });

test("the reference proofs of Certificate Transparency", async () => {
  const inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"];
  const leaves = [...inputs, "606162636465666768696a6b6c6d6e6f"].map((input) =>
    Buffer.from(Bun.SHA256.hash(Buffer.from(`00${input}`, "hex"), "hex"), "hex"),
  );
  const source = () => ({ first: 0, frontier: new Uint8Array(), hashes: leaves });
  const hexOf = (proof: readonly Uint8Array[]) =>
    proof.map((one) => Buffer.from(one).toString("hex").slice(0, 16));
  expect(hexOf(await proveConsistency(source(), 1, 8))).toEqual([
    "96a296d224f285c6",
    "5f083f0a1a33ca07",
    "6b47aaf29ee3c2af",
  ]);
  expect(hexOf(await proveConsistency(source(), 6, 8))).toEqual([
    "0ebc5d3437fbe2db",
    "ca854ea128ed050b",
    "d37ee418976dd957",
  ]);
  expect(hexOf(await proveInclusion(source(), 5, 8))).toEqual([
    "bc1a0643b12e4d2d",
    "ca854ea128ed050b",
    "d37ee418976dd957",
  ]);
});

test("every inclusion proof holds, and none of its mutations", async () => {
  const property = fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, pick, bit) => {
    const index = pick % size;
    const proof = await proveInclusion(sourceOf(), index, size);
    const holds = (over: Partial<Record<"index" | "size", number>>, root = rootOf(size)) =>
      verifyInclusion(leafOf(index), over.index ?? index, over.size ?? size, root, proof);
    const root = rootOf(size);
    expect(holds({})).toBe(true);
    for (let other = -1; other <= size; other++)
      if (other !== index) expect(holds({ index: other })).toBe(false);
    for (const other of [size - 1, size + 1, 2 * size])
      expect(holds({ size: other }, rootOf(other))).toBe(false);
    expect(
      verifyInclusion(flipped([leafOf(index)], bit)[0] ?? root, index, size, root, proof),
    ).toBe(false);
    expect(holds({}, flipped([root], bit)[0])).toBe(false);
    const mutated = [proof.slice(1), [...proof, root], [...proof.slice(1), ...proof.slice(0, 1)]];
    if (proof.length > 0) mutated.push(flipped(proof, bit), proof.slice(0, -1));
    for (const one of mutated) {
      const isSame = Buffer.concat(one).equals(Buffer.concat(proof));
      expect(verifyInclusion(leafOf(index), index, size, root, one)).toBe(isSame);
    }
  });
  await fc.assert(property, { seed, numRuns: 80 });
});

test("every consistency proof holds, and none of its mutations", async () => {
  const property = fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (second, pick, bit) => {
    const first = pick % (second + 1);
    const proof = await proveConsistency(sourceOf(), first, second);
    const [from, to] = [rootOf(first), rootOf(second)];
    expect(verifyConsistency(first, from, second, to, proof)).toBe(true);
    expect(verifyConsistency(first, flipped([from], bit)[0] ?? to, second, to, proof)).toBe(false);
    const mutated = [[...proof, to], flipped([...proof, to], bit)];
    if (proof.length > 0) mutated.push(flipped(proof, bit), proof.slice(1), proof.slice(0, -1));
    for (const one of mutated) expect(verifyConsistency(first, from, second, to, one)).toBe(false);
    if (first === 0) return;
    const otherTo = flipped([to], bit)[0] ?? from;
    expect(verifyConsistency(first, from, second, otherTo, proof)).toBe(false);
    for (let other = 1; other <= second + 1; other++)
      if (other !== first)
        expect(verifyConsistency(other, rootOf(other), second, to, proof)).toBe(false);
    expect(verifyConsistency(second + 1, to, second, to, [])).toBe(false);
  });
  await fc.assert(property, { seed, numRuns: 80 });
});

test("leaves that retention took are replaced by the frontier after them", async () => {
  const property = fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, pick, begin) => {
    const index = pick % size;
    const first = begin % (index + 1);
    const proof = await proveInclusion(sourceOf(first, 1 + (pick % 5)), index, size);
    expect(verifyInclusion(leafOf(index), index, size, rootOf(size), proof)).toBe(true);
    const grown = await proveConsistency(sourceOf(first), index + 1, size);
    expect(verifyConsistency(index + 1, rootOf(index + 1), size, rootOf(size), grown)).toBe(true);
  });
  await fc.assert(property, { seed, numRuns: 80 });
});

test("what cannot be proven is said", () => {
  expect(proveInclusion(sourceOf(), 5, 5)).rejects.toThrow("there is no leaf 5 in a tree of 5");
  expect(proveInclusion(sourceOf(), 0.5, 5)).rejects.toThrow("there is no leaf 0.5");
  expect(proveInclusion(sourceOf(), 5, 161)).rejects.toThrow("the leaves end at 160");
  expect(proveInclusion(sourceOf(8), 2, 20)).rejects.toThrow("are no longer in the ledger");
  expect(proveConsistency(sourceOf(), 9, 5)).rejects.toThrow("cannot go on");
  expect(verifyInclusion(leafOf(0), 0, 1, new Uint8Array(31), [])).toBe(false);
});
