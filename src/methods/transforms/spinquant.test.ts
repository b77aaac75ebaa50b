import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { formulaSource } from "../../../test/golden/formula-weights.ts";
import { readModelCase } from "../../../test/golden/model-cases.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { DecoderModel } from "../../models/decoder.ts";
import { rotatedTensors } from "../../models/decoder-rotation.ts";
import { readModelConfig } from "../../models/index.ts";
import type { Turn } from "../../nn/model-rotation.ts";
import { TrainableModel } from "../../nn/trainable-model.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import {
  type CayleyState,
  cayleyStep,
  orthonormalize,
  SquareProducts,
} from "../../training/cayley.ts";
import type { MicroBatch } from "../../training/training-loop.ts";
import { Prng } from "../../util/prng.ts";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { randomRotation } from "../shared/random-rotation.ts";
import { RoundedNetwork } from "../shared/rounded-network.ts";
import spinquant from "./spinquant.ts";

interface Golden {
  readonly size: number;
  readonly rate: number;
  readonly momentum: number;
  readonly start: readonly number[];
  readonly states: readonly { readonly rotation: number[]; readonly momentum: number[] }[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/spinquant.json", import.meta.url), "utf8"),
) as Golden[];
const backend = createReferenceBackend();

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);

/** How far `Rᵀ·R` is from the identity. */
async function skew(products: SquareProducts, r: Float32Array): Promise<number> {
  const { size } = products;
  const square = new Float64Array(size ** 2);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      for (let k = 0; k < size; k++) square[i * size + j] += r[k * size + i] * r[k * size + j];
    }
  }
  return distance(
    square,
    square.map((_, at) => +(at % (size + 1) === 0)),
  );
}

describe("Cayley SGD", () => {
  test.each(golden)(
    "takes the steps of the authors' optimizer: $size × $size, rate $rate, momentum $momentum",
    async ({ size, rate, momentum, start, states }) => {
      const products = new SquareProducts(backend, size);
      let state: CayleyState = {
        rotation: Float32Array.from(start),
        momentum: new Float32Array(size ** 2),
      };
      for (const [i, expected] of states.entries()) {
        const how = { learningRate: rate, momentum, keepsOnes: false };
        const gradient = goldenMatrix(size, size, 10 + i);
        state = await cayleyStep(products, state, gradient, how);
        expect(distance(state.rotation, expected.rotation)).toBeLessThan(2e-5);
        expect(distance(state.momentum, expected.momentum)).toBeLessThan(1e-4);
      }
    },
  );

  test.each([false, true])(
    "matrices stay orthogonal to 1e-6, keeping ones: %s",
    async (keepsOnes) => {
      const size = 24;
      const products = new SquareProducts(backend, size);
      const kind = { kind: "hadamard", keepsOnes } as const;
      const rotation = Float32Array.from(
        { length: size ** 2 },
        (_, at) => +(at % (size + 1) === 0),
      );
      await randomRotation(size, new Prng(1), kind).turnRows(rotation);
      let state: CayleyState = { rotation, momentum: new Float32Array(size ** 2) };
      for (let i = 0; i < 20; i++) {
        const how = { learningRate: 1.5, momentum: 0.5, keepsOnes };
        const moved = await cayleyStep(products, state, goldenMatrix(size, size, i), how);
        state = { ...moved, rotation: await orthonormalize(products, moved.rotation) };
        expect(await skew(products, state.rotation)).toBeLessThan(1e-6);
      }
      expect(distance(state.rotation, rotation)).toBeGreaterThan(0.1);
      const sums = Float64Array.from({ length: size }, (_, column) => {
        let sum = 0;
        for (let row = 0; row < size; row++) sum += state.rotation[row * size + column];
        return sum;
      });
      const moved = distance(sums, new Float64Array(size).fill(1));
      if (keepsOnes) expect(moved).toBeLessThan(1e-5);
      else expect(moved).toBeGreaterThan(0.1);
    },
  );
});

const length = 8;

/** A golden model whose rotations are to be learned, and a text. */
async function networkOf(modelCase: string, scheme: string | null) {
  const config = readModelConfig(readModelCase(modelCase).config);
  const source = formulaSource(backend, config, "float32");
  const model = await TrainableModel.load(await DecoderModel.open(backend, config, source), source);
  const values = new Map<Turn["by"], Tensor<"f32">>();
  const random = new Prng(3);
  const draw = (by: Turn["by"], size: number) => {
    const matrix = Float32Array.from(
      { length: size ** 2 },
      () => random.normal() / Math.sqrt(size),
    );
    values.set(by, Tensor.from(backend, "f32", [size, size], matrix));
  };
  draw("stream", config.hiddenSize);
  for (const block of config.layers.keys()) draw(block, config.headDim);
  const tensors = rotatedTensors(config);
  const schemes = scheme === null ? null : parseScheme(scheme);
  const modules = new Set(model.linears.map(({ module }) => module));
  const schemeOf = (module: string) => (modules.has(module) ? schemes : null);
  const parts = { model, tensors, schemeOf };
  const network = new RoundedNetwork({ ...parts, rotations: (by) => values.get(by) ?? null });
  const vocabulary = model.vocabularySize;
  const ids = Int32Array.from({ length: 2 * length }, () => random.below(vocabulary));
  return { network, values, batch: { ids, length } };
}

const memory = { recompute: false, precision: "f32" } as const;

async function lossOf({ loss }: MicroBatch): Promise<number> {
  let total = 0;
  for (const { values, scale } of loss) {
    for (const value of (await values.read()) as Float32Array) total += scale * value;
  }
  return total;
}

/** Loss with the rotation `by` moved so far along a direction. */
async function lossAlong(
  { network, values, batch }: Awaited<ReturnType<typeof networkOf>>,
  by: Turn["by"],
  direction: Float32Array,
  step: number,
): Promise<number> {
  const matrix = (values.get(by) as Tensor<"f32">).storage as Float32Array;
  const before = matrix.slice();
  for (const [i, x] of direction.entries()) matrix[i] += step * x;
  const loss = await lossOf(await network.loss(batch, [], memory));
  matrix.set(before);
  return loss;
}

describe("gradients of the loss by rotations are its differences", () => {
  test.each(["llama-tied-multi-head", "llama-biases", "gpt-neox", "phi3", "gpt2", "mixtral"])(
    "%s",
    async (modelCase) => {
      const made = await networkOf(modelCase, null);
      const wanted: Turn["by"][] = ["stream", 0];
      const { gradients } = await made.network.loss(made.batch, wanted, memory);
      const random = new Prng(9);
      for (const [i, by] of wanted.entries()) {
        const gradient = (await gradients[i]?.read()) ?? new Float32Array();
        const direction = gradient.map(() => random.normal());
        const h = 2e-4;
        const [ahead, behind] = [
          await lossAlong(made, by, direction, h),
          await lossAlong(made, by, direction, -h),
        ];
        const expected = (ahead - behind) / (2 * h);
        const found = gradient.reduce((sum, x, j) => sum + x * direction[j], 0);
        const size = Math.hypot(...gradient) * Math.hypot(...direction);
        expect(Math.abs(found - expected)).toBeLessThan(5e-3 * Math.abs(expected) + 1e-4 * size);
        expect(size).toBeGreaterThan(1e-3);
      }
      made.network.release();
    },
  );

  test("they are the same some windows at a time, with blocks computed again", async () => {
    const made = await networkOf("llama-biases", "w4a8");
    const all = await made.network.loss(made.batch, ["stream", 1], memory);
    const parts = { ...memory, recompute: true, windowsAtOnce: 1 };
    const some = await made.network.loss(made.batch, ["stream", 1], parts);
    expect(await lossOf(some)).toBeCloseTo(await lossOf(all), 5);
    for (const [i, gradient] of all.gradients.entries()) {
      const [a, b] = [await gradient?.read(), await some.gradients[i]?.read()];
      expect(distance(a ?? [], b ?? [])).toBeLessThan(1e-5);
    }
    made.network.release();
  });
});

test("it refuses a scheme with a scale for each column, and one without independent groups", () => {
  for (const id of ["w1-onebit", "w1-svid"])
    expect(spinquant.supports(parseScheme(id))).toBe(false);
  for (const id of ["w2g64", "w4", "w8a8", "q4_k"]) {
    expect(spinquant.supports(parseScheme(id))).toBe(true);
  }
});
