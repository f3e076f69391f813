/** Series for the detector's tests: seeded noise, a daily load, and what happened to them. */
import { Random } from "../../sim/mod.ts";
import type { SeriesDetector, SeriesReading } from "../../streams/mod.ts";

export const START_MS = Date.UTC(2026, 0, 5);
export const STEP_MS = 300_000;
export const DAY_POINTS = 288;

/** Uniform numbers in [0, 1), the same in every run. */
export function noise(seed = 1): () => number {
  const random = new Random(seed);
  return () => random.fraction();
}

/** A load that follows the day, between 10 and 90, with a little noise. */
export function dailyLoad(points: number, seed = 1): number[] {
  const random = noise(seed);
  return Array.from({ length: points }, (_, i) => {
    const wave = Math.sin((2 * Math.PI * i) / DAY_POINTS);
    return 50 + 36 * wave + 4 * (random() - 0.5);
  });
}

/** No season at all. */
export function whiteNoise(points: number, seed = 1): number[] {
  const random = noise(seed);
  const normal = () => Array.from({ length: 12 }, random).reduce((sum, one) => sum + one, -6);
  return Array.from({ length: points }, () => 100 + 5 * normal());
}

/** Feeds values five minutes apart. */
export function feed(
  detector: SeriesDetector,
  values: readonly number[],
  startMs = START_MS,
): SeriesReading[] {
  return values.map((value, i) => detector.update(startMs + i * STEP_MS, value));
}

/** Points that reach the threshold for one false alarm a week. */
export function alarmsIn(detector: SeriesDetector, readings: readonly SeriesReading[]): number[] {
  const threshold = detector.thresholdFor(1 / 7);
  return readings.flatMap(({ score }, i) => (score >= threshold ? [i] : []));
}
