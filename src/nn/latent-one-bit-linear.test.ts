import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { parseScheme } from "../quant/scheme.ts";
import { copyInto } from "../tensor/ops.ts";
import { Tape } from "../tensor/tape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { NumericError } from "../util/errors.ts";
import { floatsToHalves } from "../util/half.ts";
import { LatentOneBitLinear } from "./latent-one-bit-linear.ts";
import { OneBitLinear } from "./one-bit-linear.ts";

type LayerCase = Record<"y" | "dX" | "dW" | "dH" | "dG", number[]>;

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/onebit.json", import.meta.url), "utf8"),
) as {
  tokens: number;
  outFeatures: number;
  inFeatures: number;
  onebit: LayerCase;
  svid: LayerCase;
};
const { tokens, outFeatures, inFeatures } = golden;
const backend = createReferenceBackend();

function tensor(shape: readonly number[], values: Float32Array): Tensor<"f32"> {
  return Tensor.from(backend, "f32", shape, values);
}

const oneMore = (values: Float32Array): Float32Array => values.map((value) => value + 1);

function packedLayer(scheme: string, codes: Uint8Array, bias: Tensor | null = null): OneBitLinear {
  const weight = QTensor.pack(parseScheme(scheme), {
    outFeatures,
    inFeatures,
    codes,
    scales: floatsToHalves(oneMore(goldenMatrix(1, outFeatures, 3))),
    inputScales: floatsToHalves(oneMore(goldenMatrix(1, inFeatures, 4))),
  });
  return new OneBitLinear(backend, weight, bias);
}

/** The layer of the golden values, whose float weights are not of one size. */
function latentLayer(scheme: string): LatentOneBitLinear {
  const weights = goldenMatrix(outFeatures, inFeatures, 2);
  const codes = Uint8Array.from(weights, (w) => (w >= 0 ? 1 : 0));
  return new LatentOneBitLinear(packedLayer(scheme, codes), weights);
}

function expectClose(actual: Float32Array | undefined, expected: readonly number[]): void {
  expect(actual?.length).toBe(expected.length);
  expected.forEach((value, i) => expect(actual?.[i]).toBeCloseTo(value, 5));
}

describe("OneBit's layer while it is trained", () => {
  test.each(["onebit", "svid"] as const)(
    "w1-%s: values and gradients of the authors' order in PyTorch",
    async (grid) => {
      const layer = latentLayer(`w1-${grid}`);
      const x = tensor([tokens, inFeatures], goldenMatrix(tokens, inFeatures, 1));
      const watched = [x, layer.weight, layer.scales, layer.inputScales];
      const tape = new Tape();
      tape.watch(...watched);
      const y = tape.run(() => layer.forward(x));
      const dY = tensor([tokens, outFeatures], goldenMatrix(tokens, outFeatures, 5));
      tape.backward([[y, dY]]);
      const want = golden[grid];
      expectClose(await y.read(), want.y);
      for (const [i, name] of (["dX", "dW", "dH", "dG"] as const).entries()) {
        expectClose(await tape.takeGradient(watched[i])?.read(), want[name]);
      }
      tape.release();
    },
  );

  test.each(["w1-onebit", "w1-svid"])(
    "%s: the frozen layer computes what was trained",
    async (scheme) => {
      const layer = latentLayer(scheme);
      // Values that float16 does not hold: the forward pass must round them as freezing does.
      copyInto(layer.scales, tensor([outFeatures], new Float32Array(outFeatures).fill(1.0003)));
      copyInto(layer.inputScales, tensor([inFeatures], new Float32Array(inFeatures).fill(0.33333)));
      const x = tensor([tokens, inFeatures], goldenMatrix(tokens, inFeatures, 1));
      const trained = await layer.forward(x).read();
      const frozen = await new OneBitLinear(backend, await layer.freeze()).forward(x).read();
      frozen.forEach((value, i) => expect(value).toBeCloseTo(trained[i], 5));
    },
  );

  test("begins as the packed layer, bias included, with weights that have its signs", async () => {
    const codes = Uint8Array.from({ length: outFeatures * inFeatures }, (_, i) => (i % 3 ? 1 : 0));
    const bias = tensor([outFeatures], goldenMatrix(1, outFeatures, 8));
    const packed = packedLayer("w1-onebit", codes, bias);
    const x = tensor([tokens, inFeatures], goldenMatrix(tokens, inFeatures, 1));
    const before = await packed.forward(x).read();
    const values = Float32Array.from(codes, (code, i) => (code === 1 ? 1 : -1) * 0.01 * (1 + i));
    const latent = new LatentOneBitLinear(packed, values);
    const after = await latent.forward(x).read();
    after.forEach((value, i) => expect(value).toBeCloseTo(before[i], 5));
    expect(await latent.weight.read()).toEqual(values);
    expect((await latent.freeze()).parts).toEqual(packed.weight.parts);
  });

  test("a weight that is NaN is not packed", async () => {
    const layer = latentLayer("w1-onebit");
    copyInto(layer.scales, tensor([outFeatures], new Float32Array(outFeatures).fill(Number.NaN)));
    await expect(layer.freeze()).rejects.toThrow(NumericError);
  });
});
