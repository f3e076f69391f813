/** What is read of the kit's report, and what the command is told. */
import { expect, test } from "bun:test";
import { PetrelError } from "../../core/mod.ts";
import { readReport } from "./kit.ts";
import { readOptions } from "./main.ts";

test("every test case with its outcome, in the kit's own words", () => {
  const xml = `<?xml version="1.0"?><testsuites><testsuite name="pytest">
    <testcase classname="a" name="test_one[jsonrpc]" time="0.1" />
    <testcase classname="a" name="test_two" time="0.1"><failure message="wrong: &quot;a&quot; &amp;&#10;b">trace</failure></testcase>
    <testcase classname="a" name="test_three"><skipped type="pytest.skip" message="not today">x</skipped></testcase>
    <testcase classname="a" name="test_four"><skipped type="pytest.xfail" message="should">x</skipped></testcase>
    <testcase classname="a" name="test_five"><error message="broke">x</error></testcase>
  </testsuite></testsuites>`;
  expect(readReport(xml)).toEqual([
    { name: "test_one[jsonrpc]", outcome: "passed", message: "" },
    { name: "test_two", outcome: "failed", message: 'wrong: "a" &\nb' },
    { name: "test_three", outcome: "skipped", message: "not today" },
    { name: "test_four", outcome: "expected", message: "should" },
    { name: "test_five", outcome: "failed", message: "broke" },
  ]);
  expect(readReport("")).toEqual([]);
});

test("what is asked for, and what is no option", () => {
  expect(readOptions(["kit", "--level", "must,may", "--plain", "--", "-k", "card"])).toEqual({
    kit: "kit",
    transports: ["jsonrpc", "http_json"],
    levels: ["must", "may"],
    plain: true,
    skips: false,
    args: ["-k", "card"],
  });
  for (const argv of [[], ["a", "b"], ["a", "--level", "most"], ["a", "--what"]]) {
    expect(() => readOptions(argv)).toThrow(PetrelError);
  }
});
