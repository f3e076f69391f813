/** Reads the JUnit report `bun test` writes. Knows no more of XML than that report uses. */

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  /** `file: group > name` of every test skipped, or left to do. */
  readonly skipped: readonly string[];
}

const TEST_CASE = /<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g;

const ENTITIES: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&amp;": "&",
};

function attribute(attributes: string, name: string): string {
  const raw = new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return raw.replace(/&(?:lt|gt|quot|apos|amp);/g, (entity) => ENTITIES[entity] ?? entity);
}

/** Counts the test cases of a report; a report that is empty or cut off counts what it holds. */
export function countTests(xml: string): TestCounts {
  let passed = 0;
  let failed = 0;
  const skipped: string[] = [];
  for (const [, attributes = "", body = ""] of xml.matchAll(TEST_CASE)) {
    if (/<(failure|error)[ />]/.test(body)) {
      failed++;
    } else if (/<skipped[ />]/.test(body)) {
      const group = attribute(attributes, "classname");
      const name = attribute(attributes, "name");
      skipped.push(
        `${attribute(attributes, "file")}: ${group === "" ? name : `${group} > ${name}`}`,
      );
    } else {
      passed++;
    }
  }
  return { passed, failed, skipped };
}
