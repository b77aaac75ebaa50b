import { describe, expect, it } from "vitest";
import { normalQuantile, normalTail, studentQuantile } from "./distributions.ts";

describe("normalTail", () => {
  // Values of printed tables (Abramowitz and Stegun, tables 26.1 and 26.2).
  it.each([
    [0, 0.5],
    [1, 0.15865525393],
    [1.959963985, 0.025],
    [2.5, 0.00620966533],
    [5, 2.8665157e-7],
    [10, 7.619853e-24],
  ])("of %d is %d", (x, tail) => {
    expect(normalTail(x) / tail).toBeCloseTo(1, 6);
    expect(normalTail(-x)).toBeCloseTo(1 - tail, 9);
  });

  it("is inverted by normalQuantile", () => {
    for (const tail of [0.9, 0.5, 0.025, 1e-6]) {
      expect(normalTail(normalQuantile(tail)) / tail).toBeCloseTo(1, 8);
    }
  });
});

describe("studentQuantile", () => {
  it.each([
    [1, 12.7062],
    [2, 4.30265],
    [5, 2.57058],
    [30, 2.04227],
    [120, 1.97993],
    [999, 1.96234],
    [5000, 1.95996],
  ])("of 2.5 % at %d degrees of freedom is %d", (freedom, t) => {
    expect(studentQuantile(0.025, freedom)).toBeCloseTo(t, 3);
  });
});
