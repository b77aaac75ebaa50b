import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { parseScheme, sparseWeights } from "../quant/scheme.ts";
import { packSparseRows } from "../quant/sparse-rows.ts";
import { linear } from "../tensor/products.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UnsupportedError } from "../util/errors.ts";
import { floatsToHalves } from "../util/half.ts";
import { Prng } from "../util/prng.ts";
import { Linear } from "./linear.ts";
import { makeLinear } from "./make-linear.ts";

const backend = createReferenceBackend();
const [outFeatures, inFeatures, tokens] = [6, 40, 3];
const random = new Prng(5);
const draw = (length: number): Float32Array =>
  Float32Array.from({ length }, () => random.uniform() - 0.5);

function weightOf(id: string): QTensor {
  const scheme = parseScheme(id);
  const count = sparseWeights(scheme, outFeatures, inFeatures);
  const places = Uint32Array.from({ length: count }, (_, i) => 13 * i + 2);
  return QTensor.pack(scheme, {
    outFeatures,
    inFeatures,
    codes: Uint8Array.from({ length: outFeatures * inFeatures }, () => random.below(8)),
    scales: new Uint16Array(),
    codebook: floatsToHalves(draw(outFeatures * 8)),
    sparse: packSparseRows([outFeatures, inFeatures], places, floatsToHalves(draw(count))),
  });
}

describe("a layer with weights beside its codes", () => {
  const x = Tensor.from(backend, "f32", [tokens, inFeatures], draw(tokens * inFeatures));
  const bias = Tensor.from(backend, "f32", [outFeatures], draw(outFeatures));

  test("multiplies by the decoded weight, bias added", async () => {
    const weight = weightOf("w3-codebook-s5");
    const layer = await makeLinear(backend, weight, bias);
    const shape = [outFeatures, inFeatures];
    const decoded = Tensor.from(backend, "f32", shape, weight.dequantize());
    const expected = await linear(x, decoded).read();
    const added = await bias.read();
    for (const [i, value] of (await layer.forward(x).read()).entries()) {
      expect(value).toBeCloseTo(expected[i] + added[i % outFeatures], 5);
    }
    const without = await makeLinear(backend, weight.withoutSparse());
    expect(await without.forward(x).read()).not.toEqual(expected);
  });

  test("gets rounded inputs where its scheme rounds them", async () => {
    const weight = weightOf("w3-codebook-s5a4");
    const layer = await makeLinear(backend, weight, null);
    const shape = [outFeatures, inFeatures];
    const plain = new Linear(backend, Tensor.from(backend, "f32", shape, weight.dequantize()));
    const rounded = (await x.read()).map((value, i, all) => {
      const row = Math.floor(i / inFeatures) * inFeatures;
      const step = Math.max(...all.subarray(row, row + inFeatures).map(Math.abs)) / 7;
      return step * Math.round(value / step);
    });
    const expected = plain.forward(Tensor.from(backend, "f32", x.shape, rounded));
    const found = await layer.forward(x).read();
    for (const [i, value] of (await expected.read()).entries()) {
      expect(found[i]).toBeCloseTo(value, 4);
    }
  });

  test("is not a plain one", () => {
    expect(() => new Linear(backend, weightOf("w3-codebook-s5"))).toThrow(UnsupportedError);
  });
});
