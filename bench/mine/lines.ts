/**
 * Messages as Spring services write them, any number of them, the same for the same seed: some thirty
 * statements whose values are drawn anew for each line, in the unequal shares in which real ones come.
 */
import { Random } from "../../sim/mod.ts";

const NAMES = "ann bob carol dave erin frank grace heidi ivan judy mallory niaj olivia peggy".split(
  " ",
);
const STATES = ["CREATED", "AUTHORISED", "CAPTURED", "SETTLED", "REFUNDED"];
const CURRENCIES = ["EUR", "USD", "GBP", "CHF"];

/** What values are drawn from, the same for the same seed. */
export class Draw {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    return this.#random.uint32() % count;
  }

  of(texts: readonly string[]): string {
    return texts[this.below(texts.length)] ?? "";
  }

  hex(digits: number): string {
    let text = "";
    while (text.length < digits) text += this.below(0x10000).toString(16).padStart(4, "0");
    return text.slice(0, digits);
  }

  uuid(): string {
    return [8, 4, 4, 4, 12].map((digits) => this.hex(digits)).join("-");
  }

  ip(): string {
    return `10.${this.below(4)}.${this.below(256)}.${this.below(256)}`;
  }

  /** Letters alone, so that no shape gives it away. */
  word(): string {
    let text = "";
    for (let left = 4 + this.below(6); left > 0; left--)
      text += String.fromCharCode(97 + this.below(26));
    return text;
  }
}

type Statement = (draw: Draw) => string;

/** Those in front come more often. */
const STATEMENTS: readonly Statement[] = [
  (d) => `POST /api/v1/payments status=201 duration=${d.below(400)}ms request ${d.below(1e6)}`,
  (d) => `Completed ${d.of(["200 OK", "201 CREATED", "404 NOT_FOUND"])} in ${d.below(900)} ms`,
  (d) => `Payment ${d.uuid()} changed to ${d.of(STATES)} for merchant ${d.below(5_000)}`,
  (d) => `[processOrder][Create Order][OrderId: ${d.uuid()}, userId: ${d.uuid()}]`,
  (d) => `Charged ${d.below(90_000) / 100} ${d.of(CURRENCIES)} on card ending ${d.below(10_000)}`,
  (d) => `Found ${d.below(50)} entries for account ${d.below(1e8)} in ${d.below(80)}ms`,
  (d) => `user ${d.of(NAMES)} logged in from ${d.ip()}`,
  (d) =>
    `Sending message to topic payments-${d.below(12)} partition ${d.below(24)} offset ${d.below(1e9)}`,
  (d) => `Cache hit for key session:${d.hex(32)}`,
  (d) =>
    `Route is: Route(id=${d.uuid()}, stations=[${d.of(NAMES)}, ${d.of(NAMES)}], distances=[0, ${d.below(90)}])`,
  (d) =>
    `HikariPool-1 - Pool stats (total=10, active=${d.below(11)}, idle=${d.below(11)}, waiting=0)`,
  (d) =>
    `Request finished HTTP/1.1 GET http://${d.of(NAMES)}.svc.local:8080/api/${d.below(999)} ${d.below(400)}ms`,
  (d) =>
    `Consumer clientId=consumer-${d.below(9)}, groupId=ledger] Resetting offset to position ${d.below(1e7)}`,
  (d) =>
    `{"event":"settled","amount":${d.below(10_000)},"currency":"${d.of(CURRENCIES)}","ref":"${d.hex(12)}"}`,
  (d) => `Retry ${1 + d.below(3)} of 3 for ${d.of(NAMES)}-service after ${d.below(2_000)} ms`,
  (d) => `Wrote file /var/lib/exports/2026/03/${d.hex(8)}.csv (${d.below(9_000)} KB)`,
  (d) => `Circuit breaker ${d.of(NAMES)} is open, ${d.below(40)} calls not permitted`,
  (d) =>
    `Token of ${d.of(NAMES)}@example.com expires at 2026-03-${10 + d.below(18)}T1${d.below(9)}:00:00Z`,
  (d) =>
    `Executing query [SELECT * FROM ledger WHERE id = ?] took ${d.below(300)} ms, rows=${d.below(70)}`,
  (d) => `Health of ${d.of(NAMES)}: UP {diskSpace=${d.below(100)}%, db=UP, ping=${d.below(9)}ms}`,
  (d) => `Scheduled job ${d.of(NAMES)} started on thread scheduling-${d.below(8)}`,
  (d) =>
    `HikariPool-1 - Connection is not available, request timed out after ${30_000 + d.below(20)}ms.`,
  (d) => `I/O error on POST request for "http://ledger:8080/api/${d.below(99)}": Read timed out`,
  (d) => `Refused transaction ${d.hex(24)}: insufficient funds`,
];

/** One message. */
export function drawLine(draw: Draw): string {
  // The less of two draws: the first statements come most.
  const at = Math.min(draw.below(STATEMENTS.length), draw.below(STATEMENTS.length));
  return STATEMENTS[at]?.(draw) ?? "";
}

/** A message with a word and an identifier that no other has: the worst that a miner is given. */
export function drawDistinct(draw: Draw, index: number): string {
  if (index % 2 === 0) return drawLine(draw);
  return `Refused ${draw.word()} of ${draw.word()} because ${draw.word()} says ${draw.hex(16)}`;
}

/** Messages as lines of a file. */
export function* drawLines(count: number, seed: number): Generator<string> {
  const draw = new Draw(seed);
  for (let index = 0; index < count; index++) yield drawLine(draw);
}
