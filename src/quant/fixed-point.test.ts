import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Prng } from "../util/prng.ts";
import { fitActivations } from "./activation-grid.ts";
import { multiplyFixedPoint, toFixedPoint } from "./fixed-point.ts";

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/fixed-point.json", import.meta.url), "utf8"),
) as { cases: [value: number, multiplier: number, shift: number, result: number][] };

describe("fixed-point factors", () => {
  test("products are gemmlowp's, bit by bit, halves and saturation included", () => {
    for (const [value, multiplier, shift, result] of golden.cases) {
      const product = multiplyFixedPoint(value, { multiplier, shift });
      expect(product, `${value} · ${multiplier} · 2^-${31 + shift}`).toBe(result);
    }
    expect(golden.cases.length).toBeGreaterThan(500);
  });

  test("multipliers are in [2^30, 2^31) and hold the factor to 2^-31", () => {
    const prng = new Prng(4);
    const draws = Array.from({ length: 500 }, () => 2 ** (prng.uniform() * 55 - 30));
    for (const factor of [...draws, 1, 0.5, 0.25, 1 - 2 ** -33, 2 ** -31, 3]) {
      const { multiplier, shift } = toFixedPoint(factor);
      expect(multiplier).toBeGreaterThanOrEqual(2 ** 30);
      expect(multiplier).toBeLessThan(2 ** 31);
      expect(Math.abs((multiplier * 2 ** (-31 - shift)) / factor - 1)).toBeLessThanOrEqual(
        2 ** -31,
      );
    }
    expect(toFixedPoint(0)).toEqual({ multiplier: 0, shift: 0 });
    expect(() => toFixedPoint(-1)).toThrow(RangeError);
    expect(() => toFixedPoint(Number.NaN)).toThrow(RangeError);
  });
});

describe("ranges of activations", () => {
  test("zero is a code, and the range is covered to half a step", () => {
    for (const [low, high] of [
      [-3, 5],
      [1, 2],
      [-2, -1],
      [-1e-8, 1e3],
    ]) {
      const { scale, zeroPoint } = fitActivations(low, high);
      expect(Number.isInteger(zeroPoint) && zeroPoint >= 0 && zeroPoint <= 255).toBe(true);
      expect(scale * (255 - zeroPoint)).toBeGreaterThan(Math.max(high, 0) - scale * 0.51);
      expect(-scale * zeroPoint).toBeLessThan(Math.min(low, 0) + scale * 0.51);
    }
    expect(fitActivations(0, 0)).toEqual({ scale: 1, zeroPoint: 0 });
  });
});
