import { describe, expect, it } from "vitest";
import { FormatError } from "./errors.ts";
import { deepestJson, parseJson } from "./json.ts";

const nested = (open: string, close: string, depth: number) =>
  open.repeat(depth) + close.repeat(depth);

describe("parseJson", () => {
  it("reads what JSON.parse reads, brackets in strings included", () => {
    const texts = ['{"a":[1,{"b":"\\"[[[{{{"}]}', '"\\\\"', "-0.5e3", '["\\\\\\"", "]"]', "null"];
    for (const text of texts) expect(parseJson(text, "x")).toEqual(JSON.parse(text));
    const long = JSON.stringify(["[".repeat(1000), "{".repeat(1000)]);
    expect(parseJson(long, "x")).toEqual(JSON.parse(long));
  });

  it("reads lists and objects up to the limit, and refuses the next level", () => {
    const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
    expect(() => parseJson(nested("[", "]", deepestJson), "x")).not.toThrow();
    expect(() => parseJson(objects(deepestJson), "x")).not.toThrow();
    for (const deep of [nested("[", "]", deepestJson + 1), objects(100_000)]) {
      expect(() => parseJson(deep, "config.json")).toThrow(FormatError);
      expect(() => parseJson(deep, "config.json")).toThrow("config.json is nested deeper than 200");
    }
  });

  it("says what is no JSON, and what to do", () => {
    expect(() => parseJson("{", "a.json", "download it")).toThrow(/^a\.json is not JSON: /);
    for (const text of ["", "NaN", '"', '"\\', "[[", "]]"]) {
      expect(() => parseJson(text, "x")).toThrow(FormatError);
    }
  });
});
