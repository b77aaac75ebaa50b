import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { GramPrecision, MatmulOptions } from "../../../src/backend/kernels.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { blankOutput, type FloatDType, normalSample, type Sample, upload } from "./data.ts";
import { expectWithin } from "./expect-within.ts";
import { product, transpose } from "./formulas.ts";
import { remember } from "./remember.ts";

// Float32 sums: errors are a few roundings of the sum of magnitudes.
const tolerance = { relative: 1e-6 };
/** Both factors of a product may be rounded to bfloat16, each by at most 2⁻⁸. */
const roundedTolerance = { relative: 2 ** -7 };

const shapes = [
  [1, 1, 1],
  [1, 172, 64],
  [2, 352, 172],
  [7, 1, 172],
  [3, 5, 7],
  [17, 33, 352],
  [65, 49, 128],
  [130, 70, 513],
] as const;

const forms = [
  { transposeA: false, transposeB: false },
  { transposeA: false, transposeB: true },
  { transposeA: true, transposeB: false },
  { transposeA: true, transposeB: true },
] as const;

const dtypes: readonly (readonly [FloatDType, FloatDType])[] = [
  ["f32", "f32"],
  ["f32", "f16"],
  ["f32", "bf16"],
  ["bf16", "bf16"],
  ["bf16", "f32"],
];

/** Checks `matmul` and `gram`. */
export function testProducts(open: () => Backend): void {
  describe("matmul", () => {
    for (const [left, right] of dtypes) {
      for (const form of forms) {
        const title =
          `${left}${form.transposeA ? "ᵀ" : ""} · ` + `${right}${form.transposeB ? "ᵀ" : ""}`;
        test(`${title} is the sum of products at every shape`, async () => {
          for (const shape of shapes) await checkMatmul(open(), shape, [left, right], form);
        });
      }
    }

    test("alpha scales the product and beta 1 adds it to what is there", async () => {
      for (const shape of shapes) {
        const options = { transposeB: true, alpha: -0.37, beta: 1 } as const;
        await checkMatmul(open(), shape, ["f32", "f32"], options);
        await checkMatmul(open(), shape, ["bf16", "bf16"], options);
        await checkMatmul(open(), shape, ["f32", "bf16"], options);
      }
    });

    test("f32 · bf16ᵀ has infinities, NaN and the largest numbers where float32 has them", async () => {
      const [rows, columns, depth] = [70, 40, 64];
      const extremes = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 3.4e38, 0];
      const left = new Float32Array(rows * depth).fill(0.1);
      for (const [row, value] of extremes.entries()) left.fill(value, row * depth, row * depth + 1);
      // 2⁻⁸ has one bit, so that products are exact.
      const right = new Uint16Array(columns * depth).fill(0x3b80);
      const backend = open();
      const out = blankOutput(backend, [rows, columns]);
      const x = Tensor.from(backend, "f32", [rows, depth], left);
      const weight = Tensor.from(backend, "bf16", [columns, depth], right);
      backend.kernels.matmul(out, x, weight, { transposeB: true });
      const values = await out.read();
      const first = extremes.map((_, row) => values[row * columns]);
      expect(first.slice(0, 3)).toEqual(extremes.slice(0, 3));
      expect(first[3] / (3.4e38 / 256)).toBeCloseTo(1, 6);
      expect(first[4] * 256).toBeCloseTo(6.3, 5);
    });

    test("beta 0 overwrites NaN", async () => {
      const backend = open();
      const out = blankOutput(backend, [3, 4]);
      const zeros = Tensor.zeros(backend, "f32", [4, 5]);
      backend.kernels.matmul(out, zeros.slice(0, 3), zeros, { transposeB: true });
      expect([...(await out.read())]).toEqual(new Array(12).fill(0));
    });
  });

  describe("gram", () => {
    test.each(["f32", "bf16"] as const)(
      "two calls add xᵀ·x of both batches, symmetric to the bit, in %s",
      async (precision) => {
        for (const [rows, n] of [
          [1, 1],
          [5, 3],
          [70, 64],
          [33, 172],
          [300, 35],
        ] as const) {
          await checkGram(open(), rows, n, precision);
        }
      },
    );
  });
}

/** The rows of an operand along the inner dimension. */
function innerRows({ shape, values }: Sample, transposed: boolean): Float64Array {
  const [rows = 0, columns = 0] = shape;
  return transposed ? transpose(values, rows, columns) : values;
}

async function checkMatmul(
  backend: Backend,
  [m, n, k]: readonly [number, number, number],
  [left, right]: readonly [FloatDType, FloatDType],
  options: MatmulOptions,
): Promise<void> {
  const a = normalSample(options.transposeA ? [k, m] : [m, k], m + k, left);
  const b = normalSample(options.transposeB ? [n, k] : [k, n], n + k + 1, right);
  const before = normalSample([m, n], 3);
  const out = options.beta === 1 ? upload(backend, before) : blankOutput(backend, [m, n]);
  backend.kernels.matmul(out, upload(backend, a), upload(backend, b), options);
  const form = `${options.transposeA === true} ${options.transposeB === true}`;
  const left64 = innerRows(a, options.transposeA === true);
  const right64 = innerRows(b, options.transposeB !== true);
  const exact = remember(`${m} ${n} ${k} ${left} ${right} ${form}`, () =>
    product(m, n, k, left64, right64),
  );
  const { alpha = 1, beta = 0 } = options;
  const kept = (i: number) => (beta === 1 ? before.values[i] : 0);
  expectWithin(
    (await out.read()) as Float32Array,
    {
      values: exact.values.map((value, i) => alpha * value + kept(i)),
      magnitudes: exact.magnitudes.map((size, i) => Math.abs(alpha) * size + Math.abs(kept(i))),
    },
    tolerance,
  );
}

async function checkGram(
  backend: Backend,
  rows: number,
  n: number,
  precision: GramPrecision,
): Promise<void> {
  const first = normalSample([rows, n], n);
  const second = normalSample([rows, n], n + 1, "f32", 0.1);
  const gram = Tensor.zeros(backend, "f64", [n, n]);
  backend.kernels.gram(gram, upload(backend, first), precision);
  backend.kernels.gram(gram, upload(backend, second), precision);
  const [x, y] = [innerRows(first, true), innerRows(second, true)];
  const [left, right] = remember(`gram ${rows} ${n}`, () => [
    product(n, n, rows, x, x),
    product(n, n, rows, y, y),
  ]);
  const actual = await gram.read();
  expectWithin(
    actual,
    {
      values: left.values.map((value, i) => value + right.values[i]),
      magnitudes: left.magnitudes.map((value, i) => value + right.magnitudes[i]),
    },
    precision === "f32" ? tolerance : roundedTolerance,
  );
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      if (actual[i * n + j] !== actual[j * n + i])
        expect.fail(`(${i}, ${j}) differs from its mirror`);
    }
  }
}
