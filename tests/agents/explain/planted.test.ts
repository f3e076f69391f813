/** 500 bad answers through the client of production: none of their claims is told. */
import { expect, test } from "bun:test";
import { plainWords } from "../../../agents/explain/plain.ts";
import type { Explanation } from "../../../agents/explain/record.ts";
import type { Verdict } from "../../../agents/sre/records.ts";
import {
  factsIn,
  PLANTED_KINDS,
  type PlantedAnswer,
  type PlantedKind,
  plantedAnswer,
  Random,
  startLlmSim,
} from "../../../sim/mod.ts";
import { BUDGET, explain, KEY, llmOf, poolVerdict } from "./fixtures.ts";
import { recordedVerdicts } from "./recorded.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const ANSWERS = 500;
/** A timeout costs this long. */
const TIMEOUT_MS = 60;

const flat = (text: string) => text.toLowerCase().replace(/\s+/g, " ").trim();

/** A number is looked for as a number, anything else as it stands. */
function isTold(told: string, claim: string): boolean {
  if (flat(claim) === "") return false;
  if (!/^[\d.,]+$/.test(claim)) return told.includes(flat(claim));
  const escaped = claim.replaceAll(".", "\\.");
  return new RegExp(`(?<![\\d.,])${escaped}(?![\\d]|[.,]\\d)`).test(told);
}

function expectUnharmed(verdict: Verdict, planted: PlantedAnswer, got: Explanation): void {
  const plain = plainWords(verdict);
  const told = flat(
    [
      got.title,
      got.text,
      ...got.next,
      ...got.remarks,
      ...got.statements.map(({ text }) => text),
    ].join(" \n "),
  );
  expect(got.title).toBe(plain.title);
  expect(planted.claims.filter((claim) => isTold(told, claim))).toEqual([]);
  expect(got.confidence ?? 0).toBeLessThanOrEqual(verdict.confidence);
  if (got.by === "statistics") {
    expect([got.text, got.next]).toEqual([plain.text, plain.next]);
    expect(got.remarks.length).toBeGreaterThan(0);
    return;
  }
  expect(got.struck.length).toBeGreaterThan(0);
  expect(got.statements.length).toBeGreaterThan(0);
}

test(`none of ${ANSWERS} planted answers reaches the explanation`, async () => {
  let planted: PlantedAnswer | undefined;
  await using sim = startLlmSim({ apiKey: KEY, raw: () => planted?.raw });
  const verdicts = [poolVerdict(), ...(await recordedVerdicts())];
  const random = new Random(seed);
  const kinds = new Map<PlantedKind, number>();
  let ofModel = 0;
  for (let at = 0; at < ANSWERS; at++) {
    const verdict = verdicts[at % verdicts.length] ?? poolVerdict();
    planted = undefined;
    sim.mode = "ok";
    if (at < verdicts.length) {
      const good = await explain(verdict, { llm: llmOf(sim) });
      expect([good.by, good.struck]).toEqual(["stand-in", []]);
    }
    const prompt =
      sim.requests.find((one) => one.prompt.includes(verdict.window.start))?.prompt ?? "";
    planted = plantedAnswer(random, factsIn(prompt), PLANTED_KINDS[at % PLANTED_KINDS.length]);
    sim.mode = planted.mode;
    const isLate = planted.mode === "timeout";
    const budget = isLate ? { ...BUDGET, timeMs: TIMEOUT_MS } : BUDGET;
    const got = await explain(verdict, { llm: llmOf(sim), budget });
    expectUnharmed(verdict, planted, got);
    kinds.set(planted.kind, (kinds.get(planted.kind) ?? 0) + 1);
    if (got.by !== "statistics") ofModel += 1;
  }
  // The check is no check if everything is refused: answers with one good statement are told in part.
  expect(ofModel).toBeGreaterThan(ANSWERS / 10);
  expect(kinds.size).toBe(PLANTED_KINDS.length);
}, 120_000);
