import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { fitColumns, refineZeros } from "../../tensor/quantization-ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { halvesToFloats } from "../../util/half.ts";
import { Prng } from "../../util/prng.ts";
import type { Method } from "../define-method.ts";
import { columnGroups } from "../shared/quantize-columns.ts";
import hqq from "./hqq.ts";
import rtn from "./rtn.ts";

interface Case {
  scheme: string;
  spread: number;
  beta: number;
  norm: number;
  /** Mean error at the beginning of each iteration. */
  errors: number[];
  /** After the last iteration. */
  zeros: number[];
  codes: string;
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/hqq.json", import.meta.url), "utf8"),
) as { rows: number; columns: number; cases: Case[] };
const { rows, columns } = golden;
const backend = createReferenceBackend();

function tensor(values: Float32Array, shape: number[]): Tensor<"f32"> {
  return Tensor.from(backend, "f32", shape, values.slice());
}

async function quantizeWith(
  method: Method,
  scheme: string,
  weights: Float32Array,
  shape: number[],
  options: Record<string, unknown> = {},
): Promise<QTensor> {
  const made = await method.quantizeLinear?.({
    name: "test",
    weight: tensor(weights, shape),
    scheme: parseScheme(scheme),
    hessian: null,
    options: method.options.parse(options),
  });
  return (made as NonNullable<typeof made>).weight;
}

describe("hqq against the authors' arithmetic", () => {
  test.each(golden.cases)(
    "$scheme, spread $spread, beta $beta: same errors and zero points",
    async (example) => {
      const scheme = parseScheme(example.scheme);
      const weights = goldenMatrix(rows, columns, 3, example.spread);
      const weight = tensor(weights, [rows, columns]);
      const shape = [rows, example.zeros.length / rows];
      const [scales, zeros, errors] = [0, 0, 0].map(() => Tensor.zeros(backend, "f32", shape));
      for (const range of columnGroups(columns, scheme.groupSize)) {
        const { grid } = scheme;
        fitColumns(scales, zeros, weight, { ...range, grid, rule: grid.scaleRule, search: null });
      }
      const { levels } = scheme.grid;
      const groupSize = scheme.groupSize ?? columns;
      for (const [step, expected] of example.errors.entries()) {
        refineZeros(zeros, errors, weight, { ...example, scales, groupSize, levels });
        const mean = (await errors.read()).reduce((sum, e) => sum + e, 0) / errors.size;
        expect(mean / expected, `iteration ${step}`).toBeCloseTo(1, 4);
      }
      const found = await zeros.read();
      example.zeros.forEach((zero, i) => expect(found[i]).toBeCloseTo(zero, 4));
    },
  );

  test.each(golden.cases)(
    "$scheme, spread $spread, beta $beta: the best of each group is no worse than the authors' last",
    async ({ scheme, spread, beta, norm, zeros, codes }) => {
      const weights = goldenMatrix(rows, columns, 3, spread);
      const made = await quantizeWith(hqq, scheme, weights, [rows, columns], { beta, norm });
      const scales = halvesToFloats(made.parts.scales);
      const groupSize = parseScheme(scheme).groupSize ?? columns;
      const authors = weights.map((_, i) => {
        const group = Math.floor(i / groupSize);
        return scales[group] * (Number.parseInt(codes[i], 16) - zeros[group]);
      });
      // Our zero points are rounded to float16 at last, those of the golden file are not.
      expect(error(weights, made.dequantize())).toBeLessThan(error(weights, authors) * 1.001);
    },
  );
});

describe("hqq ≤ rtn on Σ|W − Ŵ|^p", () => {
  const shape = [16, 200];
  const prng = new Prng(8);
  const normal = Float32Array.from({ length: 3200 }, () => 0.02 * prng.normal());
  const weights = {
    normal,
    "with outliers": normal.map((w, i) => (i % 97 === 0 ? 8 * w : w)),
    "off zero": normal.map((w) => w + 0.1),
    large: normal.map((w) => 100 * w),
  };
  for (const bits of [2, 3, 4, 8]) {
    test.each(Object.entries(weights))(`w${bits}g64, weights %s`, async (_, values) => {
      const plain = await quantizeWith(rtn, `w${bits}g64`, values, shape);
      const start = await quantizeWith(rtn, `w${bits}g64-floatzero`, values, shape);
      const made = await quantizeWith(hqq, `w${bits}g64-floatzero`, values, shape);
      const of = (weight: QTensor, norm: number) => error(values, weight.dequantize(), norm);
      expect(of(made, 0.7)).toBeLessThan(of(plain, 0.7));
      expect(of(made, 1)).toBeLessThan(of(plain, 1));
      expect(of(made, 1)).toBeLessThanOrEqual(of(start, 1) * 1.001);
    });
  }

  test("a constant group is exact, and a group of zeros stays zero", async () => {
    const values = new Float32Array(128).fill(0.375, 0, 64);
    const made = await quantizeWith(hqq, "w4g64-floatzero", values, [1, 128]);
    expect(error(values, made.dequantize())).toBeLessThan(1e-4);
    expect(
      made
        .dequantize()
        .subarray(64)
        .every((w) => w === 0),
    ).toBe(true);
  });
});

test("schemes with integer or fixed zero points are not supported", () => {
  const supported = ["w1", "w1.58", "w2g64", "w4-sym", "w2g64-floatzero", "w8-floatzero"];
  expect(supported.filter((id) => hqq.supports(parseScheme(id)))).toEqual([
    "w2g64-floatzero",
    "w8-floatzero",
  ]);
});

/** `mean|w − ŵ|^norm` */
function error(weights: Float32Array, decoded: Float32Array, norm = 1): number {
  const sum = weights.reduce((total, w, i) => total + Math.abs(w - decoded[i]) ** norm, 0);
  return sum / weights.length;
}
