import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { parseScheme } from "../quant/scheme.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UnsupportedError } from "../util/errors.ts";
import { floatsToHalves, halvesToFloats } from "../util/half.ts";
import { Prng } from "../util/prng.ts";
import { Embedding } from "./embedding.ts";
import { Linear } from "./linear.ts";
import { makeLinear } from "./make-linear.ts";
import { OneBitLinear } from "./one-bit-linear.ts";

const backend = createReferenceBackend();
const [rows, outFeatures, inFeatures] = [3, 24, 40];

function setUp(schemeId: string) {
  const prng = new Prng(7);
  const signs = Int8Array.from({ length: outFeatures * inFeatures }, () => 2 * prng.below(2) - 1);
  const h = floatsToHalves(Array.from({ length: outFeatures }, () => 0.5 + prng.uniform()));
  const g = floatsToHalves(Array.from({ length: inFeatures }, () => prng.normal()));
  const bias = Float32Array.from({ length: outFeatures }, () => prng.normal());
  const x = Float32Array.from({ length: rows * inFeatures }, () => prng.normal());
  const weight = QTensor.pack(parseScheme(schemeId), {
    outFeatures,
    inFeatures,
    codes: Uint8Array.from(signs, (sign) => (sign + 1) / 2),
    scales: h,
    inputScales: g,
  });
  const scaled = { h: halvesToFloats(h), g: halvesToFloats(g) };
  return { weight, signs, ...scaled, bias, x };
}

/** The layer by the paper's order, in float64, a token at a time. */
function expected(
  { signs, h, g, bias, x }: ReturnType<typeof setUp>,
  normalise: boolean,
): number[] {
  return Array.from({ length: rows }, (_, row) => {
    const scaled = Array.from(g, (factor, j) => x[row * inFeatures + j] * factor);
    const products = Array.from(
      h,
      (factor, i) =>
        scaled.reduce((sum, value, j) => sum + value * signs[i * inFeatures + j], 0) * factor,
    );
    if (!normalise) return products.map((y, i) => y + bias[i]);
    const mean = products.reduce((sum, y) => sum + y, 0) / outFeatures;
    const variance = products.reduce((sum, y) => sum + (y - mean) ** 2, 0) / outFeatures;
    return products.map((y, i) => (y - mean) / Math.sqrt(variance + 1e-5) + bias[i]);
  }).flat();
}

describe("a linear layer with scales of its inputs", () => {
  test.each([
    ["w1-onebit", true],
    ["w1-svid", false],
  ] as const)("%s multiplies in the paper's order", async (scheme, normalise) => {
    const made = setUp(scheme);
    const bias = Tensor.from(backend, "f32", [outFeatures], made.bias.slice());
    const layer = await makeLinear(backend, made.weight, bias);
    expect(layer).toBeInstanceOf(OneBitLinear);
    const x = Tensor.from(backend, "f32", [rows, inFeatures], made.x);
    const want = expected(made, normalise);
    const exact = await layer.forward(x).read();
    want.forEach((value, i) => expect(exact[i]).toBeCloseTo(value, 4));
    const fast = await layer.forward(x, "fast").read();
    const spread = Math.sqrt(want.reduce((sum, value) => sum + value ** 2, 0) / want.length);
    want.forEach((value, i) => expect(Math.abs(fast[i] - value)).toBeLessThan(0.05 * spread));
    expect([...fast]).not.toEqual([...exact]);
  });

  test("without the LayerNorm multiplies by the decoded weight", async () => {
    const { weight, x } = setUp("w1-svid");
    const input = Tensor.from(backend, "f32", [rows, inFeatures], x);
    const decoded = Tensor.from(backend, "f32", [outFeatures, inFeatures], weight.dequantize());
    const plain = await new Linear(backend, decoded).forward(input).read();
    const packed = await new OneBitLinear(backend, weight).forward(input).read();
    plain.forEach((value, i) => expect(packed[i]).toBeCloseTo(value, 4));
  });

  test("is not taken for a plain linear or a table", () => {
    const { weight } = setUp("w1-svid");
    expect(() => new Linear(backend, weight)).toThrow(UnsupportedError);
    expect(() => new Embedding(backend, weight)).toThrow(UnsupportedError);
    const plain = QTensor.pack(parseScheme("w1"), {
      outFeatures,
      inFeatures,
      codes: weight.unpackCodes(),
      scales: weight.parts.scales,
    });
    expect(() => new OneBitLinear(backend, plain)).toThrow(UnsupportedError);
  });
});
