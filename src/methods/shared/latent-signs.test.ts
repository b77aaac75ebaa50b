import { expect, test } from "vitest";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { OneBitLinear } from "../../nn/one-bit-linear.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { floatsToHalves } from "../../util/half.ts";
import { equalLatents, latentsLike } from "./latent-signs.ts";

const layer = new OneBitLinear(
  createReferenceBackend(),
  QTensor.pack(parseScheme("w1-svid"), {
    outFeatures: 2,
    inFeatures: 3,
    codes: Uint8Array.of(1, 0, 1, 0, 1, 1),
    scales: floatsToHalves(Float32Array.of(2, 0)),
    inputScales: floatsToHalves(Float32Array.of(0.5, 1, 0.25)),
  }),
);

test("latent weights of one size have the signs of the layer", () => {
  const expected = [1, -1, 1, -1, 1, 1].map((sign) => Math.fround(sign * 0.01));
  expect([...equalLatents(layer, 0.01)]).toEqual(expected);
});

test("others are sized by the original's weights, short where signs differ, never too long", () => {
  const original = Float32Array.of(0.5, 1, 10, 1, -1, 0);
  const sizes = [0.5, -0.1, 4, -1, 1, 1];
  for (const [i, value] of latentsLike(layer, original, 0.01).entries()) {
    expect(value).toBeCloseTo(0.01 * sizes[i], 7);
  }
});
