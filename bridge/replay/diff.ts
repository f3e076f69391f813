/** Where two JSON values differ, place by place. */

export interface Difference {
  /** `status.state`, `artifacts[0].parts[1].data`; empty for the values themselves. */
  readonly path: string;
  /** Undefined where there is none. */
  readonly ours: unknown;
  readonly theirs: unknown;
}

export interface Diff {
  /** The first differences, in the order of our value. */
  readonly differences: readonly Difference[];
  readonly leftOut: number;
}

const NAMED_MAX = 100;

/** Compares JSON values; the order of an object's members does not count. Deep values are no recursion. */
export function diffJson(ours: unknown, theirs: unknown): Diff {
  const differences: Difference[] = [];
  let leftOut = 0;
  const open: Difference[] = [{ path: "", ours, theirs }];
  for (let pair = open.pop(); pair; pair = open.pop()) {
    const members = membersOf(pair);
    if (members) open.push(...members.reverse());
    else if (isSame(pair.ours, pair.theirs)) continue;
    else if (differences.length < NAMED_MAX) differences.push(pair);
    else leftOut++;
  }
  return { differences, leftOut };
}

/** The pairs within a pair of arrays, or of objects; undefined when there is nothing to look into. */
function membersOf({ path, ours, theirs }: Difference): Difference[] | undefined {
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    const length = Math.max(ours.length, theirs.length);
    return Array.from({ length }, (_, at) => ({
      path: `${path}[${at}]`,
      ours: ours[at],
      theirs: theirs[at],
    }));
  }
  if (!isObject(ours) || !isObject(theirs)) return undefined;
  const names = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
  return Array.from(names, (name) => ({
    path: path === "" ? name : `${path}.${name}`,
    ours: own(ours, name),
    theirs: own(theirs, name),
  }));
}

/** Of values that are not looked into: one of them is no object and no array, or they are one of each. */
function isSame(ours: unknown, theirs: unknown): boolean {
  return ours === theirs;
}

function own(value: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
