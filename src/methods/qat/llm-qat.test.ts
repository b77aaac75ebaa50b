import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { Linear } from "../../nn/linear.ts";
import { withRoundedTokens } from "../../nn/make-linear.ts";
import { FakeQuantized } from "../../quant/fake-quantized.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { Tape } from "../../tensor/tape.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { fakeQuantizeRows } from "../../tensor/training-ops.ts";
import { UsageError } from "../../util/errors.ts";
import { parseRecipe } from "../../recipe/parse-recipe.ts";
import { minMaxTraining } from "./llm-qat.ts";

/** What tools/golden/make_llm_qat.py wrote. */
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/llm-qat.json", import.meta.url), "utf8"),
) as {
  linears: readonly {
    bits: number;
    rows: number;
    columns: number;
    seed: number;
    spread: number;
    weights: readonly number[];
    out: readonly number[];
    byWeight: readonly number[];
    byInput: readonly number[];
  }[];
  rows: readonly {
    bits: number;
    rows: number;
    columns: number;
    seed: number;
    values: readonly number[];
  }[];
};

const backend = createReferenceBackend();
const schemes: Readonly<Record<number, string>> = {
  1: "w1",
  2: "w2-seq",
  3: "w3-sym",
  4: "w4-sym",
  8: "w8-sym",
};

const from = (shape: readonly number[], values: Float32Array) =>
  Tensor.from(backend, "f32", shape, values);

/** Off by at most `share` of the largest of `expected`: scales here are float16. */
function expectNear(actual: Float32Array, expected: readonly number[], share: number): void {
  const room = share * Math.max(...expected.map(Math.abs));
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(actual[i] - value)).toBeLessThanOrEqual(room);
  }
}

async function goldenLinear({ bits, rows, columns, seed, spread }: (typeof golden.linears)[0]) {
  const scheme = parseScheme(`${schemes[bits]}a8`);
  const weight = from([rows, columns], goldenMatrix(rows, columns, seed, spread));
  const latent = await FakeQuantized.of(weight, scheme, minMaxTraining(scheme));
  return {
    weight,
    latent,
    layer: withRoundedTokens(new Linear(backend, latent), { bits: 8, mode: "token" }),
  };
}

describe("LLM-QAT", () => {
  test.each(golden.linears)(
    "$bits bits: products and gradients are those of the authors' arithmetic",
    async (example) => {
      const { rows, columns, seed } = example;
      const { weight, layer } = await goldenLinear(example);
      const x = from([3, columns], goldenMatrix(3, columns, seed + 1));
      const tape = new Tape();
      tape.watch(weight, x);
      const out = tape.run(() => layer.forward(x)) as Tensor<"f32">;
      tape.backward([[out, from([3, rows], goldenMatrix(3, rows, seed + 2))]]);
      const gradient = (of: Tensor) => (tape.takeGradient(of) as Tensor<"f32">).read();
      expectNear(await out.read(), example.out, 1e-3);
      expectNear(await gradient(weight), example.byWeight, 1e-4);
      expectNear(await gradient(x), example.byInput, 1e-3);
    },
  );

  test.each(golden.linears)(
    "$bits bits: what is packed are the authors' weights",
    async (example) => {
      const { latent } = await goldenLinear(example);
      const packed = await latent.freeze();
      expectNear(packed.dequantize(), example.weights, 5e-4);
    },
  );

  test.each(golden.rows)("keys and values of $bits bits are the authors'", async (example) => {
    const { bits, rows, columns, seed, values } = example;
    const x = from([rows, columns], goldenMatrix(rows, columns, seed));
    expectNear(await fakeQuantizeRows(x, 2 ** (bits - 1) - 1).read(), values, 3e-6);
  });

  test("the largest weight of a row is its outermost level, whatever the others are", async () => {
    const scheme = parseScheme("w4-sym");
    const weight = from([1, 4], Float32Array.of(-3.5, 1.2, 0.1, 3.4));
    const latent = await FakeQuantized.of(weight, scheme, minMaxTraining(scheme));
    const packed = await latent.freeze();
    expect(Array.from(packed.dequantize())).toEqual([-3.5, 1, 0, 3.5]);
  });

  test("text is what the model writes, unless some is given", () => {
    const recipe = { model: "m", method: "llm-qat", scheme: "w4-sym", out: "o" } as const;
    expect(parseRecipe(recipe).parsed.calibration).toMatchObject({ selfGenerated: true });
    const few = parseRecipe({ ...recipe, calibration: { samples: 7 } }).parsed.calibration;
    expect(few).toMatchObject({ selfGenerated: true, samples: 7 });
    const files = [{ path: "text.txt" }];
    const given = parseRecipe({ ...recipe, calibration: { files } }).parsed.calibration;
    expect(given).toMatchObject({ selfGenerated: false });
  });

  test("a scheme without a grid means the symmetric one, SEQ at 2 bits", () => {
    const schemeOf = (scheme: string) =>
      parseRecipe({ model: "m", method: "llm-qat", scheme, out: "o" }).parsed.scheme;
    expect(["w1", "w2", "w3g64", "w4a8", "w8a8"].map(schemeOf)).toEqual([
      "w1",
      "w2-seq",
      "w3g64-sym",
      "w4-syma8",
      "w8-syma8",
    ]);
  });

  test.each(["w4-floatzero", "w2-sym", "w1.58", "w8-narrowa8-static", "q4_k"])(
    "refuses %s",
    (scheme) => {
      const recipe = { model: "m", method: "llm-qat", scheme, out: "o" } as const;
      expect(() => parseRecipe(recipe)).toThrow(UsageError);
    },
  );
});
