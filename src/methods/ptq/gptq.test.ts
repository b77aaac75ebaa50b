import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { Hessian } from "../../calibration/statistics/hessian.ts";
import { LayerInputs } from "../../calibration/statistics/layer-inputs.ts";
import { tokenWeights } from "../../calibration/token-weights.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import type { LinearSlot } from "../../nn/linear.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import gptq from "./gptq.ts";
import rtn from "./rtn.ts";

interface Golden {
  rows: number;
  columns: number;
  tokens: number;
  cases: { scheme: string; activationOrder: boolean; objective: number; codes: string }[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/gptq.json", import.meta.url), "utf8"),
) as Golden;
const { rows, columns, tokens } = golden;
const backend = createReferenceBackend();

function calibrationInputs(): Float32Array {
  const plain = goldenMatrix(tokens, columns, 7);
  return plain.map((value, i) => {
    const mixed = i % columns === 0 ? value : value + 0.7 * plain[i - 1];
    return (i % columns) % 9 === 0 ? mixed * 4 : mixed;
  });
}

const weights = goldenMatrix(rows, columns, 1);
const inputs = calibrationInputs();

function tensor(values: Float32Array, shape: number[]): Tensor<"f32"> {
  return Tensor.from(backend, "f32", shape, values.slice());
}

function hessianOfInputs(): Hessian {
  const hessian = Hessian.empty(backend, columns);
  hessian.add(tensor(inputs, [tokens, columns]));
  return hessian;
}

/** tr(ΔW·H·ΔWᵀ) = ‖X·(W − Ŵ)ᵀ‖². */
function objective(quantized: QTensor): number {
  const decoded = quantized.dequantize();
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    for (let token = 0; token < tokens; token++) {
      let dot = 0;
      for (let j = 0; j < columns; j++) {
        dot +=
          (weights[row * columns + j] - decoded[row * columns + j]) * inputs[token * columns + j];
      }
      sum += dot * dot;
    }
  }
  return sum;
}

async function runGptq(schemeId: string, options: Parameters<typeof gptq.options.parse>[0]) {
  return gptq.quantizeLinear?.({
    name: "test",
    weight: tensor(weights, [rows, columns]),
    scheme: parseScheme(schemeId),
    hessian: hessianOfInputs(),
    options: gptq.options.parse(options),
  }) as ReturnType<NonNullable<typeof gptq.quantizeLinear>>;
}

async function runRtn(schemeId: string, options: Parameters<typeof rtn.options.parse>[0] = {}) {
  const made = await rtn.quantizeLinear?.({
    name: "test",
    weight: tensor(weights, [rows, columns]),
    scheme: parseScheme(schemeId),
    hessian: null,
    options: rtn.options.parse(options),
  });
  return (made as NonNullable<typeof made>).weight;
}

function weightError(quantized: QTensor, norm: number): number {
  const decoded = quantized.dequantize();
  return weights.reduce((sum, w, i) => sum + Math.abs(w - decoded[i]) ** norm, 0);
}

/** The options that give the authors' arithmetic. */
const authors = { mse: false, groupAware: false, damping: 0.01 };

describe("gptq against the authors' arithmetic", () => {
  test.each(golden.cases)(
    "$scheme, activation order $activationOrder: same codes",
    async (example) => {
      const { weight } = await runGptq(example.scheme, {
        ...authors,
        activationOrder: example.activationOrder,
      });
      const codes = [...weight.unpackCodes()].map((code) => code.toString(16)).join("");
      expect(codes).toBe(example.codes);
      expect(objective(weight) / example.objective).toBeCloseTo(1, 4);
    },
  );
});

describe("gptq ≤ rtn on ‖X·(W − Ŵ)ᵀ‖²", () => {
  const variants = [
    { mse: true },
    { mse: false },
    { mse: false, activationOrder: true },
    { mse: false, staticGroups: true },
    { mse: false, groupAware: false },
  ];
  const schemes = ["w2", "w2g32", "w3g32-sym", "w4g48", "w8", "w1.58g32", "w1", "w1g16"];
  for (const scheme of schemes) {
    test.each(variants)(`${scheme} %o`, async (options) => {
      const { weight } = await runGptq(scheme, options);
      const plain = await runRtn(scheme, { mse: options.mse });
      expect(objective(weight)).toBeLessThan(objective(plain));
    });
  }
});

test("weighted by 1/√mean(h²), a token whose states grow as its inputs squared counts as before", async () => {
  const codes = async (size: number, weighted: boolean): Promise<number[]> => {
    const massive = inputs.slice();
    const hidden = goldenMatrix(tokens, 16, 5);
    for (let j = 0; j < columns; j++) massive[j] *= size;
    for (let j = 0; j < 16; j++) hidden[j] *= size ** 2;
    const factors = weighted ? tokenWeights(hidden, 16, 0.5).map(Math.sqrt) : null;
    const gathered = new LayerInputs(["hessian"]);
    const input = tensor(massive, [1, tokens, columns]);
    gathered.observe({ name: "test" } as LinearSlot, input, factors && tensor(factors, [tokens]));
    const made = await gptq.quantizeLinear?.({
      name: "test",
      weight: tensor(weights, [rows, columns]),
      scheme: parseScheme("w3g32"),
      hessian: gathered.of({ name: "test" })?.hessian ?? null,
      options: gptq.options.parse({}),
    });
    return [...(made?.weight.unpackCodes() ?? [])];
  };
  expect(await codes(16, true)).toEqual(await codes(1, true));
  expect(await codes(16, false)).not.toEqual(await codes(1, false));
});

describe("what gptq does with difficult Hessians", () => {
  test("fewer tokens than input features: damping makes the factor possible", async () => {
    const hessian = Hessian.empty(backend, columns);
    hessian.add(tensor(inputs.slice(0, 10 * columns), [10, columns]));
    const made = await gptq.quantizeLinear?.({
      name: "test",
      weight: tensor(weights, [rows, columns]),
      scheme: parseScheme("w4g32"),
      hessian,
      options: gptq.options.parse({}),
    });
    expect(made?.fallback).toBeUndefined();
    expect(made?.damping).toBeCloseTo(0.1);
  });

  test("an indefinite Hessian raises the damping, and at last falls back and says so", async () => {
    const made = await gptq.quantizeLinear?.({
      name: "test",
      weight: tensor(weights, [rows, columns]),
      scheme: parseScheme("w4g32"),
      hessian: indefinite(1.5),
      options: gptq.options.parse({ damping: 0.01, dampingTries: 3 }),
    });
    expect(made?.fallback).toContain("rounded to nearest");
    const plain = await runRtn("w4g32", { mse: true });
    expect([...(made?.weight.unpackCodes() ?? [])]).toEqual([...plain.unpackCodes()]);
    const raised = await gptq.quantizeLinear?.({
      name: "test",
      weight: tensor(weights, [rows, columns]),
      scheme: parseScheme("w4g32"),
      hessian: indefinite(1.03),
      options: gptq.options.parse({ damping: 0.01 }),
    });
    expect(raised?.fallback).toBeUndefined();
    expect(raised?.damping).toBeGreaterThan(0.02);
  });

  /** Second moments with one pair of columns more correlated than is possible. */
  function indefinite(correlation: number): Hessian {
    const values = new Float64Array(columns * columns);
    for (let i = 0; i < columns; i++) values[i * columns + i] = 1;
    values[1] = correlation;
    values[columns] = correlation;
    return Hessian.of(Tensor.from(backend, "f64", [columns, columns], values));
  }
});

describe("rtn", () => {
  test.each(["w2g32", "w3", "w4-sym", "w1.58g32", "w1"])(
    "%s: the searched scale has no larger error than the rule's",
    async (scheme) => {
      const searched = await runRtn(scheme, { mse: true });
      const plain = await runRtn(scheme);
      expect(weightError(searched, 2.4)).toBeLessThanOrEqual(weightError(plain, 2.4));
    },
  );

  test("8 bits are within half a step of every weight", async () => {
    const decoded = (await runRtn("w8g16")).dequantize();
    const worst = weights.reduce((max, w, i) => Math.max(max, Math.abs(w - decoded[i])), 0);
    expect(worst).toBeLessThan((4 / 255) * 0.51);
  });
});
