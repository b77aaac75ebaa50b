import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseScheme } from "../../quant/scheme.ts";
import { largestByChannel } from "../shared/channel-statistics.ts";
import { smoothingFactors } from "../shared/smoothing-factors.ts";
import smoothquant from "./smoothquant.ts";

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/awq.json", import.meta.url), "utf8"),
) as { smoothing: Record<string, number[]> };

test("with α = 0 factors are the inverse of the weights', with α = 1 the activations'", () => {
  const activations = Float32Array.of(8, 1, 4);
  const weights = Float32Array.of(0.5, 2, 0.25);
  expect([...smoothingFactors(activations, weights, 0)]).toEqual([2, 0.5, 4]);
  expect([...smoothingFactors(activations, weights, 1)]).toEqual([8, 1, 4]);
  expect([...smoothingFactors(activations, weights, 0.5)]).toEqual([4, Math.fround(0.5 ** 0.5), 4]);
});

test("channels that were never active, and weights that are all zero, give finite factors", () => {
  const factors = smoothingFactors(Float32Array.of(0, 1), Float32Array.of(1, 0), 0.5);
  expect(factors[0]).toBe(1);
  expect(factors[1]).toBeCloseTo(1e5 ** 0.5, 1);
});

test("a channel that feeds several columns counts with the largest", () => {
  const channelOf = Int32Array.of(0, 1, 0, 1);
  expect([...largestByChannel(Float32Array.of(1, 2, 3, 1), 2, channelOf)]).toEqual([3, 2]);
});

test("the authors' arithmetic gives the same factors", () => {
  const { activations, weights } = goldenMaxima();
  for (const [alpha, expected] of Object.entries(golden.smoothing)) {
    const factors = smoothingFactors(activations, weights, Number(alpha));
    factors.forEach((factor, j) => expect(factor / expected[j]).toBeCloseTo(1, 5));
  }
});

test("smoothquant says where it does nothing by itself, and nowhere else", () => {
  for (const id of ["w2g64", "w8", "w4g64a8"]) {
    expect(smoothquant.caution?.(parseScheme(id))).toContain(id);
  }
  for (const id of ["w8a8", "w8g64a8", "w4g64a8-static", "w8a8-static", "w8-narrowa8-integer"]) {
    expect(smoothquant.caution?.(parseScheme(id))).toBeNull();
  }
});

/**
 * Maxima of the formula's weights and inputs, derived from the two ends of α where one of them
 * drops out.
 */
function goldenMaxima(): { activations: Float32Array; weights: Float32Array } {
  const weights = Float32Array.from(golden.smoothing["0"], (factor) => 1 / factor);
  const half = golden.smoothing["0.5"];
  const activations = Float32Array.from(half, (factor, j) => factor ** 2 * weights[j]);
  return { activations, weights };
}
