import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { halvesToFloats } from "../../util/half.ts";
import { Prng } from "../../util/prng.ts";
import type { Method } from "../define-method.ts";
import { leadingSingularPair, nonNegativeFactors } from "../shared/rank-one.ts";
import rtn from "./rtn.ts";
import svid from "./svid.ts";

interface Case {
  rows: number;
  columns: number;
  seed: number;
  a: number[];
  b: number[];
  relativeError: number;
}

const { cases } = JSON.parse(
  readFileSync(new URL("../../../test/golden/svid.json", import.meta.url), "utf8"),
) as { cases: Case[] };
const backend = createReferenceBackend();
const rule = { iterations: 200, tolerance: 1e-7 };

async function quantizeWith(
  method: Method,
  scheme: string,
  weights: Float32Array,
  shape: number[],
  options: Record<string, unknown> = {},
): Promise<QTensor> {
  const made = await method.quantizeLinear?.({
    name: "test",
    weight: Tensor.from(backend, "f32", shape, weights.slice()),
    scheme: parseScheme(scheme),
    hessian: null,
    options: method.options.parse(options),
  });
  return (made as NonNullable<typeof made>).weight;
}

function relativeError(weights: Float32Array, made: QTensor): number {
  const decoded = made.dequantize();
  let error = 0;
  let norm = 0;
  weights.forEach((w, i) => {
    error += (w - decoded[i]) ** 2;
    norm += w ** 2;
  });
  return error / norm;
}

function expectNear(
  actual: ArrayLike<number>,
  expected: readonly number[],
  relative: number,
): void {
  expected.forEach((value, i) =>
    expect(Math.abs(actual[i] - value)).toBeLessThanOrEqual(relative * Math.abs(value)),
  );
}

describe("rank-1 approximation of |W|", () => {
  test.each(cases)("power iteration finds numpy's singular vectors, seed $seed", async (golden) => {
    const { rows, columns, seed } = golden;
    const magnitudes = goldenMatrix(rows, columns, seed).map(Math.abs);
    const matrix = Tensor.from(backend, "f32", [rows, columns], magnitudes);
    const svd = await leadingSingularPair(matrix, rule);
    expectNear(svd.a, golden.a, 1e-5);
    expectNear(svd.b, golden.b, 1e-5);
  });

  test.each(cases)("svd = nmf by Perron and Frobenius, seed $seed", async (golden) => {
    const { rows, columns, seed } = golden;
    const magnitudes = goldenMatrix(rows, columns, seed).map(Math.abs);
    const matrix = Tensor.from(backend, "f32", [rows, columns], magnitudes);
    for (const start of [0, 1]) {
      const nmf = await nonNegativeFactors(matrix, new Prng(start), rule);
      expectNear(nmf.a, golden.a, 1e-5);
      expectNear(nmf.b, golden.b, 1e-5);
    }
  });
});

describe("svid", () => {
  test.each(cases)("stores numpy's vectors and signs, seed $seed", async (golden) => {
    const { rows, columns, seed } = golden;
    const weights = goldenMatrix(rows, columns, seed);
    for (const decomposition of ["svd", "nmf"]) {
      const made = await quantizeWith(svid, "w1-svid", weights, [rows, columns], { decomposition });
      expectNear(halvesToFloats(made.parts.scales), golden.a, 2e-3);
      expectNear(halvesToFloats(made.parts.inputScales ?? new Uint16Array()), golden.b, 1e-3);
      expect(made.unpackCodes()).toEqual(Uint8Array.from(weights, (w) => (w >= 0 ? 1 : 0)));
      expect(relativeError(weights, made)).toBeCloseTo(golden.relativeError, 5);
    }
  });

  test("svid ≤ rtn on ‖W − Ŵ‖²: one scale a row is a special case of two vectors", async () => {
    const prng = new Prng(4);
    const columnSpread = Float32Array.from({ length: 48 }, () => Math.exp(prng.normal()));
    const plain = Float32Array.from({ length: 32 * 48 }, () => prng.normal());
    const uneven = plain.map((w, i) => w * columnSpread[i % 48]);
    for (const [weights, gain] of [
      [plain, 1.0001],
      [uneven, 0.6],
    ] as const) {
      const rows = relativeError(weights, await quantizeWith(rtn, "w1", weights, [32, 48]));
      const both = relativeError(weights, await quantizeWith(svid, "w1-svid", weights, [32, 48]));
      expect(both).toBeLessThan(gain * rows);
    }
  });

  test("no other signs and no scales refitted to them come closer (the fixed point of ARB-RC)", async () => {
    const weights = goldenMatrix(12, 20, 9);
    const made = await quantizeWith(svid, "w1-svid", weights, [12, 20]);
    const decoded = made.dequantize();
    weights.forEach((w, i) => {
      expect(Math.abs(w - decoded[i])).toBeLessThanOrEqual(Math.abs(w + decoded[i]));
    });
  });

  test("rows and columns of zeros decode to zeros, whatever the decomposition", async () => {
    const weights = goldenMatrix(6, 10, 2).map((w, i) => (i < 10 || i % 10 === 3 ? 0 : w));
    for (const decomposition of ["svd", "nmf"]) {
      const made = await quantizeWith(svid, "w1-onebit", weights, [6, 10], { decomposition });
      made.dequantize().forEach((w, i) => {
        if (weights[i] === 0) expect(Math.abs(w)).toBe(0);
        else expect(w * weights[i]).toBeGreaterThan(0);
      });
    }
    const zero = await quantizeWith(svid, "w1-svid", new Float32Array(20), [4, 5]);
    expect(zero.dequantize().every((w) => Math.abs(w) === 0)).toBe(true);
  });

  test("takes the grids with scales of the inputs, which RTN refuses", () => {
    const ids = ["w1", "w1-svid", "w1-onebit", "w1g64", "w2", "w1.58"];
    expect(ids.filter((id) => svid.supports(parseScheme(id)))).toEqual(["w1-svid", "w1-onebit"]);
    expect(ids.filter((id) => !rtn.supports(parseScheme(id)))).toEqual(["w1-svid", "w1-onebit"]);
    for (const id of ["w1g64-svid", "w1-onebita8"]) {
      expect(() => parseScheme(id)).toThrow(/has no groups and takes float inputs/);
    }
  });
});
