// Expressions of experiments: what they compute, and that nothing but numbers, names and comparisons gets through.
import { describe, expect, it } from "vitest";
import { InputError } from "../../../src/errors.ts";
import { parseExpression, type Value } from "../../../src/model/sweep/expression.ts";

const NAMES: Record<string, Value> = { hz: 100, "hw.int_3to0": 400, scheduler: "rr", pollution: true, "a.b.c": 2 };
const value = (text: string): Value => parseExpression(text).value((name) => NAMES[name]);
const wrong = (text: string): string => {
  try {
    return String(value(text));
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as Error).message;
  }
};

describe("expressions", () => {
  it.each<[string, Value]>([
    ["1 + 2 * 3 - 4 / 2", 5],
    ["-(1 - 3) % 2", 0],
    ["2 * hw.int_3to0 + a.b.c", 802],
    ["1e3 / hz", 10],
    ["max(min(hz, 50), 3, 1) + round(2.5) + floor(1.9) + ceil(0.1) + sqrt(16) + log2(8)", 62],
    ["hz >= 100 and hz < 101", true],
    ["hz != 100 or not (scheduler == 'rr')", false],
    ['hz == 1 or hz == 100 and scheduler != "o1"', true],
    ["pollution && !(hz > 100)", true],
    ["false or pollution", true],
  ])("%s", (text, expected) => {
    expect(value(text)).toBe(expected);
  });

  it("says which names it depends on", () => {
    expect([...parseExpression("max(a.b.c, hz) > hz and x == 'y'").names]).toEqual(["a.b.c", "hz", "x"]);
  });

  it.each([
    ["hz +", '"hz +": Expected expression after + at character 4'],
    ["hz 3", '"hz 3": write numbers, names and + - * / % < <= > >= == != and or not'],
    ["", '"": write numbers, names and + - * / % < <= > >= == != and or not'],
    ["hz | 3", '"hz | 3": no operator |; there are + - * / % < <= > >= == != and or not'],
    ["exec(3)", '"exec(3)": no function exec; there are min, max, round, floor, ceil, sqrt, log2'],
    ["constructor(1)", '"constructor(1)": no function constructor; there are min, max, round, floor, ceil, sqrt, log2'],
    ["hz['x']", `"hz['x']": write numbers, names and + - * / % < <= > >= == != and or not`],
    ["min()", '"min()": min() of nothing'],
    ["hz / 0", '"hz / 0": has no finite value'],
    ["scheduler + 1", '"scheduler + 1": + takes numbers, not the word "rr"'],
    ["hz and pollution", '"hz and pollution": and takes comparisons, not 100'],
    ["not scheduler == 'rr'", `"not scheduler == 'rr'": not takes comparisons, not the word "rr"`],
    ["hz == 'rr'", `"hz == 'rr'": 100 and the word "rr" are never equal`],
    ["null", '"null": null is no number'],
    ["(() => 1)()", /^"\(\(\) => 1\)\(\)": /],
  ])("%s is refused", (text, message) => {
    if (typeof message === "string") expect(wrong(text)).toBe(message);
    else expect(wrong(text)).toMatch(message);
  });
});
