/** Windows of records as milliseconds. Pure. */

export interface WindowText {
  readonly start: string;
  readonly end: string;
}

export function windowMsOf({ start, end }: WindowText): { startMs: number; endMs: number } {
  return { startMs: Date.parse(start), endMs: Date.parse(end) };
}

export function earlierOf(a: WindowText, b: WindowText): WindowText {
  return Date.parse(a.start) <= Date.parse(b.start) ? a : b;
}
