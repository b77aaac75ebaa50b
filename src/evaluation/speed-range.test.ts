import { expect, test } from "vitest";
import { speedRange } from "./speed-range.ts";

test("the range is that of the slowest and the fastest of eight pieces", () => {
  // 8 tokens a piece: 1 ms each, in the third piece 4 ms each.
  const times = [0];
  for (let token = 0; token < 64; token++)
    times.push((times.at(-1) ?? 0) + (token >> 3 === 2 ? 4 : 1));
  expect(speedRange(times)).toEqual({ low: 250, high: 1000, level: 1 - 2 ** -7 });
});

test("few tokens make few pieces, and one none", () => {
  expect(speedRange([0, 10, 30])).toEqual({ low: 50, high: 100, level: 0.5 });
  expect(speedRange([0, 10])).toBeNull();
  expect(speedRange([])).toBeNull();
});

test("a clock that stands still gives no infinite speed", () => {
  expect(speedRange([0, 0, 0])).toBeNull();
});
