import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { Hessian } from "../../calibration/statistics/hessian.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { QuantizedLinear } from "../define-method.ts";
import adaround from "./adaround.ts";
import rtn from "./rtn.ts";

/** What tools/golden/make_brecq.py wrote. */
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/brecq.json", import.meta.url), "utf8"),
) as {
  readonly settings: Readonly<Record<string, number>>;
  readonly layers: readonly {
    readonly scheme: string;
    readonly before: number;
    readonly after: number;
    readonly codes: { readonly layer: string };
  }[];
};
const backend = createReferenceBackend();
const [rows, columns, tokens] = [24, 32, 96];
const weights = goldenMatrix(rows, columns, 60, 0.2);
const inputs = mixedInputs();

/** Neighbouring channels have something in common. */
function mixedInputs(): Float32Array {
  const plain = goldenMatrix(tokens, columns, 61);
  return plain.map((value, i) => (i % columns === 0 ? value : value + 0.7 * plain[i - 1]));
}

const from = (shape: readonly number[], values: Float32Array): Tensor<"f32"> =>
  Tensor.from(backend, "f32", shape, values.slice());

function hessianOf(values: Float32Array): Hessian {
  const hessian = Hessian.empty(backend, columns);
  hessian.add(from([tokens, columns], values));
  return hessian;
}

/** `‖X·(W − Ŵ)ᵀ‖² / ‖X·Wᵀ‖²` */
function errorOf({ weight }: QuantizedLinear): number {
  const decoded = weight.dequantize();
  let [error, energy] = [0, 0];
  for (let token = 0; token < tokens; token++) {
    for (let row = 0; row < rows; row++) {
      let [difference, output] = [0, 0];
      for (let j = 0; j < columns; j++) {
        const x = inputs[token * columns + j];
        difference += x * (weights[row * columns + j] - decoded[row * columns + j]);
        output += x * weights[row * columns + j];
      }
      error += difference ** 2;
      energy += output ** 2;
    }
  }
  return error / energy;
}

function quantize(
  scheme: string,
  chosen: Record<string, unknown>,
  more: { hessian?: Hessian | null; tooFew?: string } = {},
): Promise<QuantizedLinear> {
  return adaround.quantizeLinear?.({
    name: "test",
    weight: from([rows, columns], weights),
    scheme: parseScheme(scheme),
    hessian: hessianOf(inputs),
    options: adaround.options.parse(chosen),
    ...more,
  }) as Promise<QuantizedLinear>;
}

function rounded(scheme: string, mse = true): Promise<QuantizedLinear> {
  return rtn.quantizeLinear?.({
    name: "test",
    weight: from([rows, columns], weights),
    scheme: parseScheme(scheme),
    hessian: null,
    options: rtn.options.parse({ mse }),
  }) as Promise<QuantizedLinear>;
}

describe("AdaRound", () => {
  test.each(golden.layers)(
    "steps on a layer under $scheme end where PyTorch's do",
    async ({ scheme, before, after, codes }) => {
      const made = await quantize(scheme, { ...golden.settings, mse: false });
      expect(errorOf(await rounded(scheme, false)) / before).toBeCloseTo(1, 3);
      expect(errorOf(made) / after).toBeCloseTo(1, 1);
      const found = [...made.weight.unpackCodes()].map((code) => code.toString(16)).join("");
      const same = [...found].filter((code, i) => code === codes.layer[i]);
      expect(same.length / found.length).toBeGreaterThan(0.98);
    },
  );

  test.each(["w1", "w1.58", "w2g16", "w2-seq", "w3g24", "w4-floatzero", "w4g16-sym"])(
    "under %s the error of the outputs is below that of rounding to nearest",
    async (scheme) => {
      const made = await quantize(scheme, { iters: 60 });
      expect(errorOf(made)).toBeLessThan(0.9 * errorOf(await rounded(scheme)));
      expect(made.fallback).toBeUndefined();
    },
  );

  test("steps that make a layer worse leave it rounded to nearest, and say so", async () => {
    const { weight, fallback } = await quantize("w8g16", { iters: 5, learningRate: 1e4 });
    expect(fallback).toContain("rounded to nearest");
    expect(weight.unpackCodes()).toEqual((await rounded("w8g16")).weight.unpackCodes());
  });

  test("inputs that say nothing leave it rounded to nearest, with the reason", async () => {
    const plain = (await rounded("w3g16")).weight.unpackCodes();
    const few = await quantize("w3g16", {}, { tooFew: "3 tokens came" });
    expect(few.fallback).toBe("3 tokens came: rounded to nearest");
    expect(few.weight.unpackCodes()).toEqual(plain);
    const silent = hessianOf(new Float32Array(tokens * columns));
    const none = await quantize("w3g16", {}, { hessian: silent });
    expect(none.fallback).toBe("its outputs are 0 for all inputs: rounded to nearest");
    expect(none.weight.unpackCodes()).toEqual(plain);
  });

  test("it warns above 4 bits, and takes rounded inputs, but no blocks", () => {
    expect(adaround.caution?.(parseScheme("w8g64"))).toContain("w8g64");
    expect(adaround.caution?.(parseScheme("w4"))).toBeNull();
    expect(adaround.supports(parseScheme("q4_k"))).toBe(false);
    expect(adaround.supports(parseScheme("w4g64a8"))).toBe(true);
  });
});
