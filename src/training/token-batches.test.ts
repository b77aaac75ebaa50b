import { describe, expect, test } from "vitest";
import { UsageError } from "../util/errors.ts";
import { listOfWindows, nextTokenTargets, TokenBatches, windowsOver } from "./token-batches.ts";

const tokens = Int32Array.from({ length: 31 }, (_, i) => i);
const firstsOf = (ids: Int32Array, length: number): number[] =>
  [...ids].filter((_, i) => i % length === 0);

describe("windows", () => {
  test("they cover the tokens without overlap, and drop the remainder", () => {
    const windows = windowsOver(tokens, 4);
    expect(windows.count).toBe(7);
    expect([...windows.at(6)]).toEqual([24, 25, 26, 27]);
  });

  test("with stride 1 every position begins one", () => {
    const windows = windowsOver(tokens, 4, 1);
    expect(windows.count).toBe(28);
    expect([...windows.at(27)]).toEqual([27, 28, 29, 30]);
  });

  test("too little text is refused", () => {
    expect(() => windowsOver(tokens, 32)).toThrow(UsageError);
    expect(() => listOfWindows([])).toThrow(UsageError);
  });
});

describe("batches", () => {
  const windows = windowsOver(tokens, 3);

  test("a shuffled epoch has every window once, and the next another order", () => {
    const batches = new TokenBatches(windows, { size: 2, order: "shuffled", seed: 3 });
    const epoch = (n: number) =>
      Array.from({ length: 5 }, (_, i) => firstsOf(batches.at(n * 5 + i), 3)).flat();
    const sorted = (list: number[]) => list.toSorted((a, b) => a - b);
    expect(sorted(epoch(0))).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
    expect(sorted(epoch(1))).toEqual(sorted(epoch(0)));
    expect(epoch(1)).not.toEqual(epoch(0));
  });

  test.each(["random", "shuffled", "sequential"] as const)(
    "a %s batch depends on its number alone, not on those asked for before",
    (order) => {
      const options = { size: 4, order, seed: 1 };
      const all = new TokenBatches(windows, options);
      const inOrder = Array.from({ length: 12 }, (_, n) => all.at(n));
      for (const n of [11, 3, 7, 0]) {
        expect(new TokenBatches(windows, options).at(n)).toEqual(inOrder[n]);
        expect(all.at(n)).toEqual(inOrder[n]);
      }
    },
  );

  test("random draws reach every window and differ from seed to seed", () => {
    const draw = (seed: number) =>
      firstsOf(new TokenBatches(windows, { size: 200, order: "random", seed }).at(0), 3);
    expect(new Set(draw(0)).size).toBe(10);
    expect(draw(1)).not.toEqual(draw(0));
  });

  test("sequential batches begin again at the end", () => {
    const batches = new TokenBatches(windows, { size: 4, order: "sequential", seed: 0 });
    expect(firstsOf(batches.at(2), 3)).toEqual([24, 27, 0, 3]);
  });
});

test("targets are the next ids, and none at the end of a window", () => {
  expect([...nextTokenTargets(Int32Array.of(5, 6, 7, 8, 9, 10), 3)]).toEqual([6, 7, -1, 9, 10, -1]);
});
