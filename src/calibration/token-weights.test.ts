import { expect, test } from "vitest";
import { tokenWeights } from "./token-weights.ts";

test("a token weighs less by the size of its states", () => {
  const hidden = Float32Array.of(1, -1, 100, 100, 0.5, 0);
  const root = [1, Math.fround(1e-2), Math.fround(Math.sqrt(8))];
  expect([...tokenWeights(hidden, 2, 1)]).toEqual([1, Math.fround(1e-4), 8]);
  expect([...tokenWeights(hidden, 2, 0.5)]).toEqual(root);
  expect([...tokenWeights(hidden, 2, 0)]).toEqual([1, 1, 1]);
});

test("tokens of no size, or next to none, do not count for more than all others", () => {
  const [massive, tiny, none] = tokenWeights(Float32Array.of(1e3, 1e3, 1e-9, 0, 0, 0), 2, 0.5);
  expect(massive).toBeCloseTo(1e-3, 9);
  expect(tiny).toBeLessThan(10);
  expect(none).toBe(0);
});
