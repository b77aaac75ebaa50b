import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { makeLinear, withRoundedInputs } from "../../nn/make-linear.ts";
import { Linear } from "../../nn/linear.ts";
import type { BinaryRule, BinaryWeight } from "../../quant/binary-weight.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { Tape } from "../../tensor/tape.ts";
import { Tensor } from "../../tensor/tensor.ts";
import bnn from "../qat/bnn.ts";
import xnorNet from "../qat/xnor-net.ts";
import { binaryLayers } from "./train-binary-weights.ts";

const backend = createReferenceBackend();
const [tokens, out, width] = [4, 6, 10];
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/binary.json", import.meta.url), "utf8"),
) as Record<"xnorNet" | "bnn", Record<string, readonly number[]>>;

function matrix(rows: number, columns: number, seed: number, spread = 1): Tensor<"f32"> {
  const values = goldenMatrix(rows, columns, seed, spread);
  return Tensor.from(backend, "f32", [rows, columns], values);
}

/** A layer as it is trained, after its weight was limited once. */
function trainedLayer(
  options: Parameters<typeof binaryLayers>[0],
  scheme: string,
  rowScales: BinaryRule["rowScales"],
  seed: number,
) {
  const { latentOf, inputsOf, limit } = binaryLayers(options, rowScales);
  const latent = latentOf(matrix(out, width, seed, 2), parseScheme(scheme)) as BinaryWeight;
  limit(latent.weight);
  const round = inputsOf(parseScheme(scheme));
  const plain = new Linear(backend, latent);
  return { latent, layer: round ? withRoundedInputs(plain, round) : plain };
}

async function expectNear(
  tensor: Tensor | null,
  expected: readonly number[],
  digits = 5,
): Promise<void> {
  const values = [...((await tensor?.read()) ?? [])].map(Number);
  expect(values).toHaveLength(expected.length);
  values.forEach((value, i) => expect(value).toBeCloseTo(expected[i], digits));
}

/** Options of a method with the authors' mask of inputs. */
const authors = { inputGradient: "fixed" } as const;

test("XNOR-Net: limited weights, products and gradients are the authors'", async () => {
  const options = xnorNet.options.parse(authors);
  const { latent, layer } = trainedLayer(options, "w1a1", "mean", 1);
  await expectNear(latent.weight, golden.xnorNet.limited);
  const x = matrix(tokens, width, 2, 2);
  const tape = new Tape();
  tape.watch(x, latent.weight);
  const y = tape.run(() => layer.forward(x));
  tape.backward([[y, matrix(tokens, out, 3)]]);
  await expectNear(y, golden.xnorNet.y);
  await expectNear(tape.takeGradient(x), golden.xnorNet.dX);
  await expectNear(tape.takeGradient(latent.weight), golden.xnorNet.dW);
});

test("BNN: clipped weights, products and gradients are the paper's", async () => {
  const options = bnn.options.parse(authors);
  const { latent, layer } = trainedLayer(options, "w1a1-sign", "learned", 4);
  await expectNear(latent.weight, golden.bnn.limited);
  const gain = latent.groupScales;
  if (!gain) throw new Error("there is no gain");
  gain.backend.kernels.cast(
    gain,
    Tensor.from(backend, "f32", [out], Float32Array.from(golden.bnn.gain)),
  );
  const x = matrix(tokens, width, 5, 2);
  const tape = new Tape();
  tape.watch(x, latent.weight, gain);
  const y = tape.run(() => layer.forward(x));
  tape.backward([[y, matrix(tokens, out, 6)]]);
  await expectNear(y, golden.bnn.y);
  await expectNear(tape.takeGradient(x), golden.bnn.dX);
  await expectNear(tape.takeGradient(latent.weight), golden.bnn.dW);
  await expectNear(tape.takeGradient(gain), golden.bnn.dGain);
});

describe.each([
  ["w1a1", xnorNet, "mean"],
  ["w1a1-sign", bnn, "learned"],
  ["w1a1-sign", bnn, "one"],
  ["w1a8", xnorNet, "mean"],
  ["w1", xnorNet, "mean"],
] as const)("%s with %o, scales: %s", (scheme, method, rowScales) => {
  test("the packed layer gives what the trained one gives", async () => {
    const { latent, layer } = trainedLayer(method.options.parse({}), scheme, rowScales, 8);
    const trained = layer.forward(matrix(tokens, width, 9));
    const packed = await makeLinear(backend, await latent.freeze());
    // A rounded input may fall on the other side of a tie.
    const digits = scheme.endsWith("a8") ? 1 : 5;
    await expectNear(packed.forward(matrix(tokens, width, 9)), [...(await trained.read())], digits);
  });
});

test("without centring and clipping the weights stay as they are", async () => {
  const options = xnorNet.options.parse({ centre: false, clipWeights: false });
  const { latent } = trainedLayer(options, "w1a1", "mean", 1);
  expect(await latent.weight.read()).toEqual(await matrix(out, width, 1, 2).read());
});

test("inputs have gradients within the root mean square of their token, whatever its size", async () => {
  const { layer, latent } = trainedLayer(xnorNet.options.parse({}), "w1a1", "mean", 1);
  const masks: boolean[][] = [];
  for (const size of [1e-3, 1, 1e3]) {
    const x = matrix(tokens, width, 2, size);
    const tape = new Tape();
    tape.watch(x, latent.weight);
    tape.backward([[tape.run(() => layer.forward(x)), matrix(tokens, out, 3)]]);
    masks.push([...((await tape.takeGradient(x)?.read()) ?? [])].map((slope) => slope !== 0));
  }
  expect(masks[0]).toContain(true);
  expect(masks[0]).toContain(false);
  expect(masks[1]).toEqual(masks[0]);
  expect(masks[2]).toEqual(masks[0]);
});

test("XNOR-Net takes inputs that K scales, BNN those without a scale; both signs with a scale a row", () => {
  const all = ["w1", "w1g64", "w1-elastic", "w1.58", "w1a1", "w1a1-sign", "w1a8", "w1a8-static"];
  const supported = (method: { supports: typeof bnn.supports }) =>
    all.filter((id) => method.supports(parseScheme(id)));
  expect(supported(xnorNet)).toEqual(["w1", "w1a1", "w1a8"]);
  expect(supported(bnn)).toEqual(["w1", "w1a1-sign", "w1a8"]);
});
