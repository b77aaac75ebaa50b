import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { Hessian } from "../../calibration/statistics/hessian.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { LinearProblem, Method, QuantizedLinear } from "../define-method.ts";
import { fitColumns, fitRows, errorOf, turnSigns, weighBy } from "../shared/refine-signs.ts";
import { alternateScales } from "../shared/signs-and-scales.ts";
import arb from "./arb.ts";
import svid from "./svid.ts";

interface Case {
  readonly rows: number;
  readonly columns: number;
  readonly tokens: number;
  readonly seed: number;
  readonly rc: readonly number[];
  readonly x: readonly number[];
  readonly errors: readonly number[];
}

/** What tools/golden/make_arb.py wrote. */
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/arb.json", import.meta.url), "utf8"),
) as { readonly rounds: number; readonly sweeps: number; readonly cases: readonly Case[] };
const backend = createReferenceBackend();

/** Inputs in which each channel is like the one before it. */
function inputsOf({ tokens, columns, seed }: Case): Float32Array {
  const plain = goldenMatrix(tokens, columns, seed + 1);
  return plain.map((value, i) => (i % columns === 0 ? value : value + 0.7 * plain[i - 1]));
}

function hessianOf(of: Case, inputs = inputsOf(of)): Hessian {
  const hessian = Hessian.empty(backend, of.columns);
  hessian.add(Tensor.from(backend, "f32", [of.tokens, of.columns], inputs));
  return hessian;
}

const weightOf = ({ rows, columns, seed }: Case): Tensor<"f32"> =>
  Tensor.from(backend, "f32", [rows, columns], goldenMatrix(rows, columns, seed));

async function quantizeWith(
  method: Method,
  of: Case,
  options: Record<string, unknown> = {},
  rest: Partial<LinearProblem<Record<string, unknown>>> = {},
): Promise<QuantizedLinear> {
  const made = await method.quantizeLinear?.({
    name: "test",
    weight: weightOf(of),
    scheme: parseScheme("w1-svid"),
    hessian: hessianOf(of),
    options: method.options.parse(options),
    ...rest,
  });
  return made as QuantizedLinear;
}

/** `‖X·(W − Ŵ)ᵀ‖² / ‖X·Wᵀ‖²` */
function outputError(of: Case, made: QTensor): number {
  const { rows, columns, tokens } = of;
  const inputs = inputsOf(of);
  const weights = goldenMatrix(rows, columns, of.seed);
  const decoded = made.dequantize();
  let [error, energy] = [0, 0];
  for (let row = 0; row < rows; row++) {
    for (let token = 0; token < tokens; token++) {
      let [expected, found] = [0, 0];
      for (let j = 0; j < columns; j++) {
        const x = inputs[token * columns + j];
        expected += weights[row * columns + j] * x;
        found += decoded[row * columns + j] * x;
      }
      error += (expected - found) ** 2;
      energy += expected ** 2;
    }
  }
  return error / energy;
}

describe("ARB", () => {
  test.each(golden.cases)("rc ends where numpy's alternation does, seed $seed", async (of) => {
    const { weight } = await quantizeWith(arb, of, { refinement: "rc" }, { hessian: null });
    const signs = goldenMatrix(of.rows, of.columns, of.seed).map(Math.sign);
    for (const [i, value] of weight.dequantize().entries()) {
      expect(value / (signs[i] * of.rc[i])).toBeCloseTo(1, 2);
    }
  });

  test.each(golden.cases)("x ends where numpy's rounds do, seed $seed", async (of) => {
    const options = { iterations: golden.rounds, sweeps: golden.sweeps };
    const { weight } = await quantizeWith(arb, of, options);
    expect(outputError(of, weight) / (of.errors.at(-1) ?? 0)).toBeCloseTo(1, 2);
    for (const [i, value] of weight.dequantize().entries()) {
      expect(Math.abs(value - of.x[i])).toBeLessThan(0.02);
    }
  });

  test.each(golden.cases)("the error falls in every step of a round, seed $seed", async (of) => {
    const weighed = await weighBy(weightOf(of), hessianOf(of));
    let found = await alternateScales(weightOf(of), 15);
    const errors = [await errorOf(weighed, found)];
    for (let round = 0; round < 2; round++) {
      for (const step of [turnSigns, fitColumns, fitRows]) {
        found = await step(weighed, found, 4);
        errors.push(await errorOf(weighed, found));
      }
    }
    for (const [i, error] of errors.entries()) {
      if (i > 0) expect(error).toBeLessThanOrEqual(errors[i - 1] * (1 + 1e-5));
    }
    expect(errors.at(-1)).toBeLessThan(errors[0]);
  });

  test.each([0, 4])(
    "x ≤ svid on the error of outputs, with %i sweeps over signs",
    async (sweeps) => {
      for (const of of golden.cases) {
        const refined = outputError(of, (await quantizeWith(arb, of, { sweeps })).weight);
        const plain = outputError(of, (await quantizeWith(svid, of)).weight);
        expect(refined).toBeLessThan(plain);
      }
    },
  );

  test("with inputs that are independent and alike, the signs are those of the weights", async () => {
    const [of] = golden.cases;
    const identity = Float64Array.from({ length: of.columns ** 2 }, (_, at) =>
      at % (of.columns + 1) === 0 ? 3 : 0,
    );
    const hessian = Hessian.of(Tensor.from(backend, "f64", [of.columns, of.columns], identity));
    const [x, rc] = [
      await quantizeWith(arb, of, {}, { hessian }),
      await quantizeWith(arb, of, { refinement: "rc" }, { hessian: null }),
    ];
    expect(x.weight.unpackCodes()).toEqual(rc.weight.unpackCodes());
  });

  test("rows, columns and inputs of zeros decode to numbers", async () => {
    const [of] = golden.cases;
    const { rows, columns } = of;
    const zeros = (at: number): boolean => at < columns || at % columns === 3;
    const weights = goldenMatrix(rows, columns, 2).map((w, i) => (zeros(i) ? 0 : w));
    const inputs = inputsOf(of).map((x, i) => (i % columns === 5 ? 0 : x));
    const made = await quantizeWith(
      arb,
      of,
      {},
      {
        weight: Tensor.from(backend, "f32", [rows, columns], weights),
        hessian: hessianOf(of, inputs),
      },
    );
    expect(made.weight.dequantize().every(Number.isFinite)).toBe(true);
    const nothing = Tensor.zeros(backend, "f32", [rows, columns]);
    const { weight } = await quantizeWith(arb, of, {}, { weight: nothing });
    expect(weight.dequantize().every((w) => Math.abs(w) === 0)).toBe(true);
  });

  test("with too few tokens scales are fitted to the weights, and it says so", async () => {
    const [of] = golden.cases;
    const { fallback } = await quantizeWith(arb, of, {}, { tooFew: "3 tokens came" });
    expect(fallback).toBe("3 tokens came: scales are fitted to the weights");
  });

  test("takes the grids with scales of the inputs, and second moments unless it works from weights", () => {
    const ids = ["w1", "w1-svid", "w1-onebit", "w2", "w1.58"];
    expect(ids.filter((id) => arb.supports(parseScheme(id)))).toEqual(["w1-svid", "w1-onebit"]);
    const statistics = (chosen: object) => arb.statistics?.(arb.options.parse(chosen));
    expect(statistics({})).toEqual(["hessian"]);
    expect(statistics({ refinement: "rc" })).toEqual([]);
  });
});
