import { expect, test } from "vitest";
import { Prng } from "./prng.ts";
import { shortestFloat } from "./shortest-float.ts";

test.each([1e-5, 1e-6, 0.1, 10_000, 500_000, 1_000_000, 0, 3.5, 1 / 3])(
  "the float32 next to %d is written as it",
  (value) => {
    const shortest = shortestFloat(Math.fround(value));
    expect(Math.fround(shortest)).toBe(Math.fround(value));
    expect(String(shortest).length).toBeLessThanOrEqual(Math.max(String(value).length, 11));
  },
);

test("every float32 is found again from its shortest decimal", () => {
  const prng = new Prng(5);
  const bits = Uint32Array.from({ length: 2000 }, () => prng.uint32());
  for (const value of new Float32Array(bits.buffer)) {
    expect(Math.fround(shortestFloat(value))).toBe(value);
  }
  expect(shortestFloat(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  expect(shortestFloat(Math.fround(1e-5))).toBe(1e-5);
});
