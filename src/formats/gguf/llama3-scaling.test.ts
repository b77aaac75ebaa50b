import { expect, test } from "vitest";
import { fitLlama3Scaling } from "./llama3-scaling.ts";

/** Factors as the converter computes them: `rope_freqs.weight` for heads of 2 · count channels. */
function factorsOf(
  [factor, low, high, original]: readonly number[],
  theta: number,
  count: number,
): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const frequency = Math.fround(1 / theta ** ((2 * i) / (2 * count)));
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < original / high) return 1;
    if (wavelength > original / low) return factor;
    const smooth = (original / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

test.each([
  ["Llama 3.1", [8, 1, 4, 8192], 500_000, 64],
  ["Llama 3.2", [32, 1, 4, 8192], 500_000, 32],
  ["another context", [4, 1, 4, 3000], 500_000, 64],
  ["another range", [8, 1, 16, 8192], 500_000, 64],
  ["ratios of which no whole context is one", [8, 3, 7, 8191], 500_000, 64],
])("the scaling of %s is found from its factors", (_, scaling, theta, count) => {
  const factors = factorsOf(scaling, theta, count);
  const found = fitLlama3Scaling(factors, theta);
  expect(found).not.toBeNull();
  if (!found) return;
  const again = factorsOf(
    [
      found.factor,
      found.low_freq_factor,
      found.high_freq_factor,
      found.original_max_position_embeddings,
    ],
    theta,
    count,
  );
  for (const [i, value] of again.entries()) expect(value / factors[i]).toBeCloseTo(1, 3);
  const [factor, low, high, original] = scaling;
  if (low === 1) {
    expect(found).toMatchObject({ factor, low_freq_factor: 1 });
    expect(found.high_freq_factor).toBeCloseTo(high, 1);
    expect(found.original_max_position_embeddings / original).toBeCloseTo(1, 2);
  }
});

test("factors of another kind are none of such a scaling", () => {
  const falling = Float32Array.from({ length: 32 }, (_, i) => 8 - i / 5);
  expect(fitLlama3Scaling(falling, 500_000)).toBeNull();
  const steps = Float32Array.from({ length: 32 }, (_, i) => 1 + (i % 3));
  expect(fitLlama3Scaling(steps, 500_000)).toBeNull();
});
