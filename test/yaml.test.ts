// YAML read against a schema: what is right comes back typed, what is wrong is named with its line.
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { InputError } from "../src/errors.ts";
import { readYaml } from "../src/yaml.ts";

const SCHEMA = z.strictObject({
  name: z.string(),
  size: z.int().min(1).max(9).optional(),
  kind: z.enum(["a", "b"]).optional(),
  parts: z.array(z.strictObject({ x: z.number() })).default([]),
});

const read = (text: string) => readYaml(text, "some.yaml", SCHEMA);
const wrong = (text: string) => {
  try {
    read(text);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as Error).message;
  }
  return "no error";
};

describe("readYaml", () => {
  it("gives what the schema says, defaults filled in", () => {
    expect(read("name: one\nsize: 3\n")).toEqual({ name: "one", size: 3, parts: [] });
  });

  it.each([
    [
      "an unknown key",
      "name: one\ncolour: red\n",
      "some.yaml:2:1: colour: no such key here; there are name, size, kind, parts",
    ],
    [
      "an unknown key further in",
      "name: one\nparts:\n  - x: 1\n    y: 2\n",
      "some.yaml:4:5: parts.0.y: no such key here; there are x",
    ],
    ["a key that is missing", "size: 3\n", "some.yaml:1:1: name: expected string, received undefined"],
    ["a number too large", "name: one\nsize: 10\n", "some.yaml:2:1: size: Too big: expected number to be <=9"],
    ["a word that is none", "name: one\nkind: c\n", 'some.yaml:2:1: kind: Invalid option: expected one of "a"|"b"'],
    ["the wrong shape", "- 1\n", "some.yaml:1:1: expected object, received array"],
    ["nothing at all", "", "some.yaml:1:1: expected object, received null"],
  ])("%s", (_, text, message) => {
    expect(wrong(text)).toBe(message);
  });

  it("text that is no YAML", () => {
    expect(wrong('name: "one\n')).toMatch(/^some\.yaml:\d+:\d+: /);
    expect(wrong("name: one\nname: two\n")).toMatch(/^some\.yaml:2:1: .*unique/);
  });

  it("a document that unfolds without end", () => {
    const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}*l${i}]`);
    expect(wrong(["l0: &l0 x", ...levels].join("\n"))).toMatch(/^some\.yaml:/);
  });
});
