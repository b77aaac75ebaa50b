import { expect, test } from "vitest";
import { Prng } from "../../util/prng.ts";
import { distinctShare } from "./distinct.ts";

const counting = (length: number, from = 0): number[] => Array.from({ length }, (_, i) => from + i);

test("is 1 where no n-gram comes twice, and 1 in 256 where only one token does", () => {
  expect(distinctShare([counting(400)], 1)).toBeCloseTo(1, 12);
  expect(distinctShare([counting(400)], 3)).toBeCloseTo(1, 12);
  expect(distinctShare([new Array<number>(400).fill(7)], 2)).toBeCloseTo(1 / 256, 12);
});

test("counts n-grams within texts, and tells nothing of fewer than 256", () => {
  const texts = Array.from({ length: 16 }, (_, text) => counting(16, 16 * text));
  expect(distinctShare(texts, 1)).toBeCloseTo(1, 12);
  expect(distinctShare(texts, 2)).toBeNull();
});

test("is what all draws of 256 give: of 258 n-grams, two of which are equal", () => {
  // The pair is drawn whole with probability 256·255 / (258·257): then one of 256 is missing.
  const both = (256 * 255) / (258 * 257);
  expect(distinctShare([[...counting(257), 0]], 1)).toBeCloseTo(1 - both / 256, 12);
});

test("does not depend on how much was written by the same source", () => {
  const random = new Prng(1);
  const text = (length: number): number[] => Array.from({ length }, () => random.below(50));
  const [short, long] = [distinctShare([text(2000)], 2), distinctShare([text(20_000)], 2)];
  expect(Math.abs((short ?? 0) - (long ?? 1))).toBeLessThan(0.01);
});
