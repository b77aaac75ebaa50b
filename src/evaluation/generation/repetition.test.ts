import { describe, expect, test } from "vitest";
import { loopPeriod, repetitionRate } from "./repetition.ts";

const rounds = (period: readonly number[], count: number): number[] =>
  Array.from({ length: count }, () => period).flat();

describe("repetitionRate", () => {
  test.each([
    ["no token twice", [1, 2, 3, 4, 5, 6], 0],
    // 1234 2345 3451 4512 5123 1234: one of six came before.
    ["one 4-gram again", [1, 2, 3, 4, 5, 1, 2, 3, 4], 1 / 6],
    ["one token alone", rounds([7], 20), 1 - 1 / 17],
    ["pairs in turn: two 4-grams of ten", rounds([1, 2], 6).concat(1), 0.8],
    ["too short for a 4-gram", [1, 1, 1], 0],
    ["nothing", [], 0],
  ])("%s", (_, ids, expected) => {
    expect(repetitionRate(ids)).toBeCloseTo(expected, 12);
  });

  test("nears 1 as one token is repeated for longer", () => {
    expect(repetitionRate(rounds([7], 1000))).toBeGreaterThan(0.998);
  });
});

describe("loopPeriod", () => {
  test.each([
    ["one token 12 times", [5, 6, ...rounds([7], 12)], 1],
    ["one token 11 times is no loop yet", [5, 6, ...rounds([7], 11)], null],
    ["four tokens three times", [9, ...rounds([1, 2, 3, 4], 3)], 4],
    ["four tokens twice", [9, ...rounds([1, 2, 3, 4], 2), 1, 2, 3], null],
    ["a last round that was cut", [9, ...rounds([1, 2, 3, 4, 5], 3), 1, 2], 5],
    ["the shortest period", rounds([1, 2], 12), 2],
    ["a loop that was left", [...rounds([7], 30), 1, 2, 3, 4], null],
    ["nothing", [], null],
  ])("%s", (_, ids, expected) => {
    expect(loopPeriod(ids)).toBe(expected);
  });
});
