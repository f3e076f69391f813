import { expect, test } from "bun:test";
import { countTests } from "../../deploy/junit.ts";

const REPORT = `<testsuites name="bun test" tests="4" failures="1" skipped="2">
  <testsuite name="a.test.ts"><testsuite name="group">
    <testcase name="ok &lt;&amp;&gt;" classname="group" file="a.test.ts" line="2" />
    <testcase name="later &amp; more" classname="group" file="a.test.ts"><skipped /></testcase>
  </testsuite>
  <testcase name="fails" classname="" file="a.test.ts">
    <failure type="AssertionError" message="&lt;skipped /&gt;">a &lt;testcase</failure>
  </testcase>
  <testcase name="to do" classname="" file="a.test.ts"><skipped message="TODO" /></testcase>
</testsuite></testsuites>`;

test("every test case is counted once, and the skipped ones are named", () => {
  expect(countTests(REPORT)).toEqual({
    passed: 1,
    failed: 1,
    skipped: ["a.test.ts: group > later & more", "a.test.ts: to do"],
  });
});

test("a report that was never written counts nothing", () => {
  expect(countTests("")).toEqual({ passed: 0, failed: 0, skipped: [] });
});
