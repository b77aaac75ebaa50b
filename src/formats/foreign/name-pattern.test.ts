import { expect, test } from "vitest";
import { namePattern } from "./name-pattern.ts";

const name = "model.layers.10.self_attn.q_proj";

test.each([
  ["model", true],
  ["layers", false],
  [".*\\.q_proj$", true],
  ["a|model", true],
  [".*\\.layers\\.[0-9]+\\..*(?:q|k)_proj.*", true],
  ["(?:model|layers|\\.)*", true],
])("%s is tried from the start of a name", (pattern, expected) => {
  expect(namePattern(pattern, pattern)(name)).toBe(expected);
});

test.each(["(", "a".repeat(301)])("%s is none that is read", (pattern) => {
  expect(() => namePattern(pattern, `re:${pattern}`)).toThrow(/is no regular expression/);
});

test.each(["(?:[a-z_.0-9]+)+!", ".*.*.*.*.*.*.*.*.*.*.*.*!"])(
  "%s is given up after a second, and named",
  (pattern) => {
    const began = performance.now();
    expect(() => namePattern(pattern, pattern)(name.repeat(4))).toThrow(
      /the pattern ".*!" takes more than 1 s for "model\.layers/,
    );
    expect(performance.now() - began).toBeLessThan(10_000);
  },
);
