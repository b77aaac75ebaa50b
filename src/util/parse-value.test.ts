import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { UsageError } from "./errors.ts";
import { parseValue, shortValue } from "./parse-value.ts";

/** What is said of a value: field and message, and the hint. */
function complaint(schema: z.ZodType, value: unknown): string {
  try {
    parseValue(schema, value, ({ text, hint }) => new UsageError(text, { hint }));
    return "nothing";
  } catch (error) {
    const { message, hint } = error as UsageError;
    return hint === undefined ? message : `${message} | ${hint}`;
  }
}

const steps = z.enum(["rtn", "gptq", "hqq"]);
const text = z.string().min(1);
const schema = z.strictObject({
  count: z.int().positive().optional(),
  share: z.number().min(0).max(1).nullish(),
  rate: z.number().positive().default(1),
  least: z.number().max(0).optional(),
  any: z.int().optional(),
  keep: z.boolean().optional(),
  names: z.array(text).min(1).optional(),
  name: text.regex(/^[a-z]+$/, "expected small letters").optional(),
  pair: z.tuple([z.int(), z.int()]).optional(),
  version: z.literal([1, 2]).optional(),
  table: z.record(z.string(), z.array(z.int())).optional(),
  chained: z
    .array(text)
    .nullish()
    .transform((list) => list ?? []),
  step: z.union([steps, z.array(steps).min(1)]).optional(),
  steps: z
    .array(z.union([steps, z.strictObject({ method: steps, options: z.unknown() })]))
    .optional(),
  custom: z.custom<string>((value) => value === "a", "expected the letter a").optional(),
  mute: z.custom<string>((value) => value === "a").optional(),
  inner: z.strictObject({ window: z.int().min(2), order: text }).optional(),
});

describe("a value that does not fit its schema", () => {
  test.each([
    [{ count: 0 }, "count: expected a whole number of at least 1, got 0"],
    [{ count: 1.5 }, "count: expected a whole number of at least 1, got 1.5"],
    [{ count: "3" }, 'count: expected a whole number of at least 1, got "3"'],
    [{ count: null }, "count: expected a whole number of at least 1, got null"],
    [{ share: 2 }, "share: expected a number from 0 to 1, got 2"],
    [{ rate: Number.NaN }, "rate: expected a number above 0, got NaN"],
    [{ rate: Number.POSITIVE_INFINITY }, "rate: expected a number above 0, got Infinity"],
    [{ least: 1 }, "least: expected a number of at most 0, got 1"],
    [{ any: 2 ** 60 }, "any: expected a whole number, got 1152921504606847000"],
    [{ keep: "yes" }, 'keep: expected true or false, got "yes"'],
    [{ names: "a" }, 'names: expected a list, got "a"'],
    [{ names: [] }, "names: is empty: expected a list"],
    [{ names: ["a", ""] }, "names[1]: is empty: expected a text"],
    [{ names: ["a", {}] }, "names[1]: expected a text, got an object"],
    [{ name: "A" }, 'name: expected small letters, got "A"'],
    [{ pair: [1] }, "pair: expected a list of 2 entries, got [1]"],
    [{ pair: [1, "x"] }, 'pair[1]: expected a whole number, got "x"'],
    [{ version: 3 }, "version: expected 1 or 2, got 3"],
    [{ table: { a: [1, null] } }, "table.a[1]: expected a whole number, got null"],
    [{ table: [] }, "table: expected an object, got []"],
    [{ chained: 4 }, "chained: expected a list, got 4"],
    [{ chained: [4] }, "chained[0]: expected a text, got 4"],
    [{ step: "gtpq" }, 'step: "gtpq" is none of rtn, gptq, hqq | did you mean gptq?'],
    [{ step: ["rtm"] }, 'step[0]: "rtm" is none of rtn, gptq, hqq | did you mean rtn?'],
    [{ step: "completely" }, 'step: "completely" is none of rtn, gptq, hqq'],
    [{ step: 3 }, "step: expected one of rtn, gptq, hqq or a list, got 3"],
    [{ steps: ["hq"] }, 'steps[0]: "hq" is none of rtn, gptq, hqq | did you mean hqq?'],
    [
      { steps: [{ method: "hq" }] },
      'steps[0].method: "hq" is none of rtn, gptq, hqq | did you mean hqq?',
    ],
    [{ steps: [{}] }, "steps[0].method: is missing: expected one of rtn, gptq, hqq"],
    [
      { steps: [{ methd: "rtn" }] },
      "steps[0].methd: there is no such field | did you mean method?",
    ],
    [{ custom: "b" }, 'custom: expected the letter a, got "b"'],
    [{ mute: "b" }, 'mute: is not valid: got "b"'],
    [{ inner: { order: "a" } }, "inner.window: is missing: expected a whole number of at least 2"],
    [
      { inner: { window: 1, order: "" } },
      "inner.window: expected a whole number of at least 2, got 1 | 1 more fault after this",
    ],
    [
      { inner: { windw: 3, order: "a" } },
      "inner.windw: there is no such field | did you mean window?; 1 more fault after this",
    ],
    [
      { inner: { window: 3, order: "a", colour: 1 } },
      "inner.colour: there is no such field | the fields here are window, order",
    ],
    [[], "expected an object, got []"],
    ["x", 'expected an object, got "x"'],
    [undefined, "expected an object, got nothing"],
  ])("%j: %s", (value, said) => {
    expect(complaint(schema, value)).toBe(said);
  });

  test("a hostile one is shown in a few words, whatever its size", () => {
    expect(shortValue("x".repeat(1e6))).toBe(`"${"x".repeat(57)}..."`);
    expect(shortValue(Array.from({ length: 1e6 }, () => 1))).toBe("a list of 1000000 entries");
    expect(shortValue([[1]])).toBe("a list of 1 entry");
    expect(shortValue("\u001b[31m")).toBe(String.raw`"\u001b[31m"`);
  });
});

test("no other file reads what zod says, whose words are not for people", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const readers = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => /(?<!\.test)\.ts$/.test(name))
    .filter((name) => /\.issues\b|ZodError|prettifyError/.test(readFileSync(root + name, "utf8")));
  expect(readers).toEqual(["util/parse-value.ts"]);
});

test("what came is written without characters that a terminal obeys", () => {
  expect(shortValue("a\u001b[31m\u009b\u202e")).toBe('"a\\u001b[31m\\u009b\\u202e"');
});
