/** The numbers of a finding's own measurements, and those that follow from them. */
import type { Finding } from "../../streams/mod.ts";
import { numbersOf, type Quantity } from "./numbers.ts";

/** Value, baseline and recent with their unit, and what follows from them: ratio, change, difference. */
export function measured({ value, baseline, recent, unit = "" }: Finding): Quantity[] {
  const values = [value, baseline, recent].filter((one) => one !== undefined);
  const told = values.flatMap((one) => numbersOf(`${plain(one)} ${unit}`).quantities);
  const shares = /share/.test(unit)
    ? values.map((one): Quantity => ({ value: 100 * one, unit: "percent", step: 1 }))
    : [];
  if (value === undefined || baseline === undefined) return [...told, ...shares];
  const change = numbersOf(`${plain(Math.abs(value - baseline))} ${unit}`).quantities;
  if (!(baseline > 0)) return [...told, ...shares, ...change];
  const ratio = value / baseline;
  return [
    ...told,
    ...shares,
    ...change,
    { value: Math.max(ratio, 1 / ratio), unit: "times", step: 1 },
    { value: 100 * Math.abs(ratio - 1), unit: "percent", step: 1 },
  ];
}

function plain(value: number): string {
  return Math.abs(value) >= 1e15 || !Number.isFinite(value)
    ? ""
    : value.toFixed(6).replace(/\.?0+$/, "");
}

/** `19 of 20 traces` says 95 % too. */
export function sharesIn(text: string): Quantity[] {
  return [...text.matchAll(/\b(\d[\d,]{0,12}) of (\d[\d,]{0,12})\b/g)].flatMap(([, part, all]) => {
    const share = (100 * Number(part?.replaceAll(",", ""))) / Number(all?.replaceAll(",", ""));
    return Number.isFinite(share) ? [{ value: share, unit: "percent" as const, step: 1 }] : [];
  });
}
