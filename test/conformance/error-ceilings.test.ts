import { describe, expect, test } from "vitest";
import { roundToNearest } from "../../src/methods/shared/quantize-columns.ts";
import { parseScheme } from "../../src/quant/scheme.ts";
import { linear, packedLinear } from "../../src/tensor/products.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { normalSample, upload } from "./ops/data.ts";
import { subjects } from "./subjects.ts";

const outFeatures = 96;
const inFeatures = 512;
const tokens = 9;

/**
 * Root of the mean squared error over the root of the mean square of normally distributed weights,
 * rounded to nearest. What a scheme is worth must not grow worse unnoticed.
 */
const weightCeilings: Readonly<Record<string, number>> = {
  w8g64: 0.006,
  w8: 0.008,
  w4g64: 0.1,
  "w4g64-sym": 0.11,
  w4: 0.13,
  w3g64: 0.22,
  w2g64: 0.5,
  "w2g64-seq": 0.51,
  "w1.58g64": 0.53,
  "w1.58g64-seq": 0.8,
  "w1g64-elastic": 0.61,
  w1g64: 0.61,
  w1: 0.61,
};

/** How far fast products may be from exact ones, as a share of their size, whatever the scheme. */
const productCeiling = 0.008;
/** The same with one input a row that is a hundred times as large as the others. */
const outlierCeiling = 0.03;

for (const { title, missing, open } of subjects) {
  describe.skipIf(missing)(missing ? `${title} (skipped: ${missing})` : title, () => {
    test.each(Object.entries(weightCeilings))(
      "%s loses at most %d of normal weights, and fast products stay near exact ones",
      async (id, ceiling) => {
        const backend = open();
        const sample = normalSample([outFeatures, inFeatures], 1);
        const weight = upload(backend, sample) as Tensor<"f32">;
        const packed = await roundToNearest(weight, parseScheme(id), null);
        expect(relativeError(packed.dequantize(), sample.values)).toBeLessThan(ceiling);

        const operand = backend.prepare(packed.operand());
        const plain = normalSample([tokens, inFeatures], 2);
        const outliers = plain.values.map((x, i) => (i % inFeatures === 77 ? 100 * x : x));
        for (const [values, most] of [
          [plain.values, productCeiling],
          [outliers, outlierCeiling],
        ] as const) {
          const x = Tensor.from(backend, "f32", [tokens, inFeatures], Float32Array.from(values));
          const exact = await packedLinear(x, operand, "exact").read();
          const fast = await packedLinear(x, operand, "fast").read();
          expect(relativeError(fast, exact)).toBeLessThan(most);
          const decoded = Tensor.from(
            backend,
            "f32",
            [outFeatures, inFeatures],
            packed.dequantize(),
          );
          expect(relativeError(exact, await linear(x, decoded).read())).toBeLessThan(1e-5);
        }
      },
    );
  });
}

function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return Math.sqrt(difference / size);
}
