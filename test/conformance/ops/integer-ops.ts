import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { IntegerOutput } from "../../../src/backend/integer-weight.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { toFixedPoint } from "../../../src/quant/fixed-point.ts";
import {
  dequantizeActivations,
  quantizeActivations,
  requantizedLinear,
  rowRanges,
  scaledLinear,
} from "../../../src/tensor/integer-ops.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { Prng } from "../../../src/util/prng.ts";
import { roundHalfEven } from "../../../src/util/rounding.ts";
import { normalSample, upload } from "./data.ts";

/** Tokens, outFeatures, inFeatures. */
const shapes = [
  [1, 1, 1],
  [1, 7, 63],
  [4, 16, 64],
  [3, 33, 65],
  [5, 18, 172],
  [9, 40, 1300],
] as const;

/** Checks the ops of 8-bit activations. */
export function testIntegerOps(open: () => Backend): void {
  describe("8-bit activations", () => {
    test.each(shapes)("%d x %d x %d: products are exact sums of integers", async (...shape) => {
      const [tokens, out, width] = shape;
      const { codes, values, offsets } = draw(...shape);
      const rowScales = new Float32Array(out).fill(1);
      const inputs = roundedInputs(open(), codes, tokens, width, 1);
      const weight = { outFeatures: out, inFeatures: width, values };
      const sums = await scaledLinear(inputs, weight, offsets, rowScales).read();
      for (let i = 0; i < sums.length; i++) {
        const [token, row] = [Math.floor(i / out), i % out];
        let sum = offsets[row];
        for (let k = 0; k < width; k++) sum += codes[token * width + k] * values[row * width + k];
        if (sums[i] !== Math.fround(sum)) expect.fail(`${i}: expected ${sum}, got ${sums[i]}`);
      }
    });

    test.each(shapes)("%d x %d x %d: the same bytes as reference", async (...shape) => {
      expect(await runAll(open(), ...shape)).toEqual(
        await runAll(createReferenceBackend(), ...shape),
      );
    });

    test("the extremes of a row of 65,536 do not overflow", async () => {
      const width = 65536;
      const weight = { outFeatures: 1, inFeatures: width, values: new Int8Array(width).fill(-128) };
      const inputs = roundedInputs(open(), new Uint8Array(width).fill(255), 1, width, 1);
      const scales = Float32Array.of(1);
      const low = await scaledLinear(inputs, weight, Int32Array.of(-(2 ** 30)), scales).read();
      expect(low[0]).toBe(-(2 ** 31));
      const exact = await scaledLinear(inputs, weight, Int32Array.of(0), scales).read();
      expect(exact[0]).toBe(-255 * 128 * width);
    });

    test("fixed scales round half to even and clip; tokens by themselves reach ±127", async () => {
      const x = Tensor.from(open(), "f32", [1, 6], Float32Array.of(0.5, 1.5, -2.5, 1e9, -1e9, 0));
      const fixed = quantizeActivations(x, { scale: 1, zeroPoint: 100 });
      expect([...(await fixed.codes.read())]).toEqual([100, 102, 98, 255, 0, 100]);
      const rows = Tensor.from(open(), "f32", [2, 3], Float32Array.of(-254, 127, 1, 0, 0, 0));
      const own = quantizeActivations(rows, null);
      expect([...(await own.codes.read())]).toEqual([1, 192, 128, 128, 128, 128]);
      expect([...(await own.scales.read())]).toEqual([2, 1]);
      expect(roundHalfEven(63.5)).toBe(64);
    });
  });
}

function draw(tokens: number, out: number, width: number) {
  const random = new Prng(tokens + out + width);
  return {
    codes: Uint8Array.from({ length: tokens * width }, () => random.below(256)),
    values: Int8Array.from({ length: out * width }, () => random.below(255) - 127),
    offsets: Int32Array.from({ length: out }, () => random.below(2000) - 1000),
  };
}

function roundedInputs(
  backend: Backend,
  codes: Uint8Array,
  tokens: number,
  width: number,
  scale: number,
) {
  return {
    shape: [tokens, width],
    codes: Tensor.from(backend, "u8", [tokens, width], codes.slice()),
    scales: Tensor.from(backend, "f32", [tokens], new Float32Array(tokens).fill(scale)),
  };
}

/** Everything from floats to floats, by every way. */
async function runAll(backend: Backend, tokens: number, out: number, width: number) {
  const { values, offsets } = draw(tokens, out, width);
  const weight = { outFeatures: out, inFeatures: width, values };
  const x = upload(backend, normalSample([tokens, width], 5, "f32", 3));
  const results: Record<string, readonly number[]> = { ranges: [...(await rowRanges(x).read())] };
  const rowScales = Float32Array.from({ length: out }, (_, row) => 0.003 + row / 1e4);
  const factors = Array.from(rowScales, (scale) => toFixedPoint(scale * 0.7));
  const output: Extract<IntegerOutput, { kind: "requantize" }> & { outputScale: number } = {
    kind: "requantize",
    multipliers: Int32Array.from(factors, ({ multiplier }) => multiplier),
    shifts: Int32Array.from(factors, ({ shift }) => shift),
    zeroPoint: 121,
    outputScale: 0.05,
  };
  for (const fixed of [null, { scale: 0.04, zeroPoint: 117 }]) {
    const rounded = quantizeActivations(x, fixed);
    const name = fixed ? "fixed" : "own";
    const requantized = requantizedLinear(rounded, weight, offsets, output);
    const tensors = {
      codes: rounded.codes,
      scales: rounded.scales,
      widened: dequantizeActivations(rounded, fixed?.zeroPoint ?? 128),
      scaled: scaledLinear(rounded, weight, offsets, rowScales),
      requantized: requantized.codes,
      outputs: dequantizeActivations(requantized, output.zeroPoint),
    };
    for (const [key, tensor] of Object.entries(tensors)) {
      results[`${name} ${key}`] = [...(await tensor.read())];
    }
  }
  return results;
}
