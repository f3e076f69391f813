import { expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  SEQUENCE_HEADER,
  type StoredRecord,
  sequenceText,
  TREE_HEADER,
} from "../../../bridge/kafka/record.ts";
import { type MergedRecord, mergeByLeaf } from "../../../bridge/proof/merge.ts";
import { blocksOf, makeRecord, OTHER_TREE, TREE } from "./trail.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const LANES = 4;

function recordOf(leaf: number, tree = TREE): StoredRecord {
  const record = makeRecord(leaf, "audit.requests", "ctx-1");
  const headers = { ...record.headers, [SEQUENCE_HEADER]: sequenceText(leaf), [TREE_HEADER]: tree };
  return { ...record, headers };
}

async function merged(lanes: readonly (readonly StoredRecord[])[]): Promise<MergedRecord[]> {
  const options = { tree: TREE, otherTrees: [TREE, OTHER_TREE] };
  return Array.fromAsync(mergeByLeaf(lanes.map(blocksOf), options));
}

const mergedLeaves = async (...lanes: readonly (readonly number[])[]) =>
  (await merged(lanes.map((lane) => lane.map((leaf) => recordOf(leaf))))).map(
    ({ leaf, isInOrder }) => (isInOrder ? leaf : `${leaf} odd`),
  );

test("any spread over partitions comes back in order", async () => {
  const spread = fc.array(fc.nat({ max: LANES - 1 }), { maxLength: 60 });
  const property = fc.asyncProperty(spread, async (places) => {
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      [...places.keys()].filter((leaf) => places[leaf] === lane),
    );
    expect(await mergedLeaves(...lanes)).toEqual([...places.keys()]);
  });
  await fc.assert(property, { seed, numRuns: 100 });
});

test("any disorder comes through whole, and holds nobody up", async () => {
  const lane = fc.array(fc.nat({ max: 20 }), { maxLength: 20 });
  const property = fc.asyncProperty(fc.array(lane, { maxLength: LANES }), async (lanes) => {
    const all = await mergedLeaves(...lanes);
    const inOrder = all.filter((one): one is number => typeof one === "number");
    expect(inOrder).toEqual(inOrder.toSorted((one, other) => one - other));
    const leaves = all.map((one) => Number.parseInt(String(one), 10));
    expect(leaves.toSorted((a, b) => a - b)).toEqual(lanes.flat().toSorted((a, b) => a - b));
  });
  await fc.assert(property, { seed, numRuns: 200 });
});

test("the record out of order is marked, not those around it", async () => {
  expect(await mergedLeaves([0, 9, 2, 4], [1, 3, 5])).toEqual([0, "9 odd", 1, 2, 3, 4, 5]);
  expect(await mergedLeaves([0, 2, 2, 4], [1])).toEqual([0, 1, 2, "2 odd", 4]);
  expect(await mergedLeaves([0, 4, 1, 5], [2, 3])).toEqual([0, 2, 3, 4, "1 odd", 5]);
});

test("records of other trees are passed over, those of unknown ones are not", async () => {
  const all = await merged([[recordOf(0), recordOf(1, OTHER_TREE), recordOf(2, "AUDIT.9")]]);
  expect(all.map(({ leaf, isInOrder }) => [leaf, isInOrder])).toEqual([
    [0, true],
    [undefined, false],
  ]);
});

test("a block of a partition and three records are in memory, and every stream is closed", async () => {
  const open = { read: 0, closed: 0 };
  async function* endless(lane: number) {
    try {
      for (let leaf = lane; ; leaf += 2 * LANES, open.read += 2)
        yield [recordOf(leaf), recordOf(leaf + LANES)];
    } finally {
      open.closed++;
    }
  }
  const streams = Array.from({ length: LANES }, (_, lane) => endless(lane));
  let taken = 0;
  for await (const { leaf } of mergeByLeaf(streams, { tree: TREE })) {
    expect(leaf).toBe(taken++);
    expect(open.read).toBeLessThanOrEqual(taken + (2 + 3) * LANES);
    if (taken === 100) break;
  }
  expect(open.closed).toBe(LANES);
});
