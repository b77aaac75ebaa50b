import { expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import { fourBitCode, storedLength } from "../../../src/tensor/four-bit-rows.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { FewbitError } from "../../../src/util/errors.ts";
import { floatsToHalves } from "../../../src/util/half.ts";
import { roundHalfEven } from "../../../src/util/rounding.ts";
import { blankOutput, floatSample, normalSample, type Sample, upload, uploadIds } from "./data.ts";
import { type Exact, exactly, expectSame, expectWithin } from "./expect-within.ts";
import { logSumExp, normalizeRow, softmaxRow } from "./formulas.ts";

/** [rows, columns]. */
const shapes = [
  [1, 1],
  [1, 172],
  [3, 7],
  [5, 352],
  [2, 1000],
] as const;

/** Checks the ops that work row by row: norms, softmax, embedding and losses. */
export function testRowOps(open: () => Backend): void {
  testNorms(open);
  testSoftmax(open);
  testEmbedding(open);
  testTakenColumns(open);
  testCrossEntropy(open);
  testDivergence(open);
  testBadIds(open);
}

function rowsOf({ shape, values }: Sample): Float64Array[] {
  const [rows = 0, columns = 0] = shape;
  return Array.from({ length: rows }, (_, i) => values.subarray(i * columns, (i + 1) * columns));
}

function joinRows(rows: readonly Exact[]): Exact {
  return {
    values: Float64Array.from(rows.flatMap((row) => [...row.values])),
    magnitudes: Float64Array.from(rows.flatMap((row) => [...row.magnitudes])),
  };
}

function testNorms(open: () => Backend): void {
  const tolerance = { relative: 1e-6 };
  // Ordinary rows, huge and tiny ones, and rows whose mean is large against their spread.
  const inputs = shapes.flatMap((shape, i) => [
    normalSample(shape, i),
    normalSample(shape, i, "f32", 1e15),
    normalSample(shape, i, "f32", 1e-12),
    floatSample(
      shape,
      normalSample(shape, i).values.map((x) => x + 1000),
    ),
  ]);

  test("rmsNorm is x / √(mean(x²) + eps) · weight", async () => {
    for (const x of inputs) {
      const backend = open();
      const weight = normalSample([x.shape[1]], 99);
      const out = blankOutput(backend, x.shape);
      backend.kernels.rmsNorm(out, upload(backend, x), upload(backend, weight), 1e-5);
      const rows = rowsOf(x).map((row) => normalizeRow(row, false, weight.values, null, 1e-5));
      expectWithin(await out.read(), joinRows(rows), tolerance);
    }
  });

  test("layerNorm is (x − mean) / √(var + eps) · weight + bias, with and without both", async () => {
    for (const x of inputs) {
      for (const affine of [true, false]) {
        const backend = open();
        const weight = affine ? normalSample([x.shape[1]], 99) : null;
        const bias = affine ? normalSample([x.shape[1]], 98) : null;
        const out = blankOutput(backend, x.shape);
        const [w, b] = [weight && upload(backend, weight), bias && upload(backend, bias)];
        backend.kernels.layerNorm(out, upload(backend, x), w, b, 1e-5);
        const rows = rowsOf(x).map((row) =>
          normalizeRow(row, true, weight?.values ?? null, bias?.values ?? null, 1e-5),
        );
        expectWithin(await out.read(), joinRows(rows), tolerance);
      }
    }
  });
}

function testTakenColumns(open: () => Backend): void {
  test("takeColumns is x[t, columns[j]] to the bit", async () => {
    for (const [rows, width] of shapes) {
      const backend = open();
      const x = normalSample([rows, width], 3);
      const taken = Array.from(
        { length: Math.ceil(width / 2) },
        (_, j) => (width - 1 - 2 * j + width) % width,
      );
      const out = blankOutput(backend, [rows, taken.length]);
      backend.kernels.takeColumns(out, upload(backend, x), uploadIds(backend, taken));
      const want = rowsOf(x).flatMap((row) => taken.map((column) => row[column]));
      expectSame(await out.read(), want);
    }
  });
}

function testSoftmax(open: () => Backend): void {
  // The rounding of x − max, up to about 30 here, is a relative error of its power.
  const tolerance = { relative: 4e-6 };

  test("softmax is exp(x) / Σ exp(x), also in place", async () => {
    for (const shape of shapes) {
      for (const spread of [1, 10]) {
        const backend = open();
        const x = normalSample(shape, 5, "f32", spread);
        const out = blankOutput(backend, shape);
        const inPlace = upload(backend, x);
        backend.kernels.softmax(out, upload(backend, x));
        backend.kernels.softmax(inPlace, inPlace);
        const exact = exactly(Float64Array.from(rowsOf(x).flatMap(softmaxRow)));
        const actual = await out.read();
        expectWithin(actual, exact, tolerance);
        expectSame((await inPlace.read()) as Float32Array, actual);
      }
    }
  });

  test("softmax of huge, equal and excluded scores neither overflows nor is NaN", async () => {
    const backend = open();
    const low = Number.NEGATIVE_INFINITY;
    const x = floatSample([4, 3], [3e38, -3e38, 3e38, -3e38, -3e38, -3e38, low, 0, low, 1, low, 1]);
    const out = blankOutput(backend, x.shape);
    backend.kernels.softmax(out, upload(backend, x));
    const third = 1 / 3;
    const want = [0.5, 0, 0.5, third, third, third, 0, 1, 0, 0.5, 0, 0.5];
    expectWithin(await out.read(), exactly(Float64Array.from(want)), tolerance);
  });
}

function testEmbedding(open: () => Backend): void {
  for (const dtype of ["f32", "f16", "bf16"] as const) {
    test(`embedding copies rows of a ${dtype} table, widened exactly`, async () => {
      for (const width of [1, 172, 352]) {
        const backend = open();
        const table = normalSample([11, width], width, dtype);
        const ids = [0, 10, 3, 3, 7];
        const out = blankOutput(backend, [ids.length, width]);
        backend.kernels.embedding(out, upload(backend, table), uploadIds(backend, ids));
        const rows = rowsOf(table);
        expectSame(
          await out.read(),
          ids.flatMap((id) => [...rows[id]]),
        );
      }
    });
  }
}

function testCrossEntropy(open: () => Backend): void {
  test("crossEntropy is log Σ exp(logits) − logits[target]", async () => {
    for (const shape of shapes) {
      for (const spread of [1, 20, 1e4]) {
        const backend = open();
        const logits = normalSample(shape, 6, "f32", spread);
        const targets = rowsOf(logits).map((_, i) => (i * 37) % shape[1]);
        const losses = blankOutput(backend, [shape[0]]);
        const ids = uploadIds(backend, targets);
        backend.kernels.crossEntropy(losses, upload(backend, logits), ids);
        const values = rowsOf(logits).map((row, i) => logSumExp(row) - row[targets[i]]);
        const exact = exactly(Float64Array.from(values));
        expectWithin(await losses.read(), exact, { relative: 1e-6, absolute: 2e-7 });
      }
    }
  });
}

function testBadIds(open: () => Backend): void {
  for (const id of [-1, 5]) {
    test(`id ${id} of 5 rows is refused by embedding`, async () => {
      const backend = open();
      const rows = upload(backend, normalSample([5, 5], 1));
      const ids = uploadIds(backend, [0, 1, 2, id, 4]);
      await expect(async () => {
        backend.kernels.embedding(blankOutput(backend, [5, 5]), rows, ids);
        await backend.synchronize();
      }).rejects.toThrow(FewbitError);
    });
  }
  test("target 5 of 5 classes is refused by crossEntropy", async () => {
    const backend = open();
    const rows = upload(backend, normalSample([5, 5], 1));
    const ids = uploadIds(backend, [0, 1, 2, 5, 4]);
    await expect(async () => {
      backend.kernels.crossEntropy(blankOutput(backend, [5]), rows, ids);
      await backend.synchronize();
    }).rejects.toThrow(FewbitError);
  });
}

function testDivergence(open: () => Backend): void {
  const run = async (teacher: Sample, student: Sample) => {
    const backend = open();
    const [rows = 0] = teacher.shape;
    const divergence = blankOutput(backend, [rows]);
    const agree = blankOutput(backend, [rows]);
    const [p, q] = [upload(backend, teacher), upload(backend, student)];
    backend.kernels.klDivergence(divergence, agree, p, q);
    return { divergence: await divergence.read(), agree: await agree.read() };
  };

  test("klDivergence is Σ p·(log p − log q), also where it is tiny", async () => {
    for (const shape of shapes) {
      for (const noise of [1e-3, 0.1, 3]) {
        const teacher = normalSample(shape, 7, "f32", 3);
        const shift = normalSample(shape, 8, "f32", noise).values;
        const student = floatSample(
          shape,
          teacher.values.map((x, i) => x + shift[i]),
        );
        const { divergence, agree } = await run(teacher, student);
        const students = rowsOf(student);
        const values = rowsOf(teacher).map((p, i) => divergenceOf(p, students[i]));
        const exact = exactly(Float64Array.from(values));
        expectWithin(divergence, exact, { relative: 1e-5, absolute: 1e-9 });
        const top = rowsOf(teacher).map((p, i) => (topOf(p) === topOf(students[i]) ? 1 : 0));
        expect([...agree]).toEqual(top);
      }
    }
  });

  test("klDivergence of equal logits is 0 and they agree, ties included", async () => {
    const tied = floatSample([2, 20], [...new Array(19).fill(1), 0, 0, ...new Array(19).fill(1)]);
    const { divergence, agree } = await run(tied, tied);
    expectWithin(divergence, exactly(Float64Array.of(0, 0)), { relative: 0, absolute: 1e-12 });
    expect([...agree]).toEqual([1, 1]);
  });

  test("the first of equal logits is the top token", async () => {
    const teacher = Array.from({ length: 40 }, (_, i) => (i === 18 || i === 3 ? 5 : 0));
    const student = Array.from({ length: 40 }, (_, i) => (i === 3 ? 5 : 0));
    const { agree } = await run(floatSample([1, 40], teacher), floatSample([1, 40], student));
    expect([...agree]).toEqual([1]);
  });

  test("a token that the teacher excludes adds nothing", async () => {
    const low = Number.NEGATIVE_INFINITY;
    const teacher = floatSample([1, 3], [1, low, 1]);
    const { divergence } = await run(teacher, floatSample([1, 3], [0, 0, 0]));
    expectWithin(divergence, exactly(Float64Array.of(Math.log(1.5))), { relative: 1e-6 });
  });
}

function divergenceOf(p: Float64Array, q: Float64Array): number {
  const [logP, logQ] = [logSumExp(p), logSumExp(q)];
  return p.reduce((sum, x, i) => sum + Math.exp(x - logP) * (x - logP - (q[i] - logQ)), 0);
}

function topOf(row: Float64Array): number {
  return row.indexOf(Math.max(...row));
}

/** Checks the ops that only move or convert bytes. */
export function testCopies(open: () => Backend): void {
  test("writeRows fills the rows from `position` on and leaves the others", async () => {
    for (const [batch, capacity, length, width] of [
      [1, 1, 1, 1],
      [2, 9, 3, 172],
      [3, 5, 5, 7],
    ] as const) {
      const backend = open();
      const cache = normalSample([batch, capacity, 1, width], 1);
      const rows = normalSample([batch, length, 1, width], 2);
      const position = capacity - length;
      const target = upload(backend, cache);
      backend.kernels.writeRows(target, upload(backend, rows), position);
      const want = cache.values.slice();
      for (let b = 0; b < batch; b++) {
        const part = rows.values.subarray(b * length * width, (b + 1) * length * width);
        want.set(part, (b * capacity + position) * width);
      }
      expectSame((await target.read()) as Float32Array, want);
    }
  });

  test("writeRows rounds float32 rows for a float16 cache", async () => {
    const backend = open();
    const rows = normalSample([2, 3, 2, 19], 2);
    const target = Tensor.zeros(backend, "f16", [2, 5, 2, 19]);
    backend.kernels.writeRows(target, upload(backend, rows), 1);
    const bits = await target.read();
    for (const [b, row] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const at = (b * 5 + 1 + row) * 38;
      const from = (b * 3 + row) * 38;
      const part = (rows.array as Float32Array).subarray(from, from + 38);
      expectSame(bits.subarray(at, at + 38), floatsToHalves(part));
    }
    expectSame(bits.subarray(0, 38), new Uint16Array(38));
  });

  test.each([
    ["i8", 127],
    ["u8", 7],
  ] as const)(
    "quantizeRows to %s takes the nearest of ±%i codes, and the scale fits the largest value",
    async (dtype, top) => {
      const backend = open();
      const [batch, capacity, length, heads, d] = [2, 6, 3, 2, 21];
      const rows = normalSample([batch, length, heads, d], 3);
      const x = rows.array as Float32Array;
      x.fill(0, 0, d);
      x[d] = Number.NaN;
      for (let i = 2 * d; i < 3 * d; i++) x[i] *= 2 ** -140;
      const width = storedLength(dtype, d);
      const cache = Tensor.zeros(backend, dtype, [batch, capacity, heads, width]);
      const scales = Tensor.zeros(backend, "f32", [batch, capacity, heads]);
      backend.kernels.quantizeRows(cache, scales, upload(backend, rows), 2);
      const [codes, steps] = [await cache.read(), await scales.read()];
      for (let row = 0; row < batch * length * heads; row++) {
        const token = Math.floor(row / heads);
        const at = (Math.floor(token / length) * capacity + 2 + (token % length)) * heads;
        const target = at + (row % heads);
        const part = x.subarray(row * d, (row + 1) * d);
        const scale = Math.fround(Math.max(...part.map(Math.abs)) / top);
        const want = Array.from(part, (value) =>
          scale > 0 ? Math.max(-top, Math.min(top, roundHalfEven(Math.fround(value / scale)))) : 0,
        );
        const got = want.map((_, i) =>
          dtype === "u8"
            ? fourBitCode(codes as Uint8Array, target * width, i, d)
            : codes[target * width + i] + 0,
        );
        expectSame([steps[target]], [scale]);
        expectSame(
          got,
          want.map((c) => c + 0),
        );
      }
      expectSame(
        Array.from(codes.subarray(0, 2 * heads * width)),
        Array(2 * heads * width).fill(0),
      );
    },
  );

  test("magnitudes adds Σ|x| and keeps max|x| of each column", async () => {
    for (const [rows, columns] of [
      [1, 1],
      [5, 64],
      [7, 172],
      [300, 3],
    ]) {
      const backend = open();
      const sums = Tensor.from(backend, "f64", [columns], new Float64Array(columns).fill(0.5));
      const peaks = Tensor.from(backend, "f32", [columns], new Float32Array(columns).fill(0.25));
      const x = normalSample([rows, columns], rows);
      backend.kernels.magnitudes(sums, peaks, upload(backend, x));
      const column = (j: number): number[] =>
        Array.from({ length: rows }, (_, t) => Math.abs(x.values[t * columns + j]));
      const all = Array.from({ length: columns }, (_, j) => column(j));
      expectSame(
        await peaks.read(),
        all.map((values) => Math.max(0.25, ...values)),
      );
      expectSame(
        await sums.read(),
        all.map((values) => values.reduce((sum, value) => sum + value, 0.5)),
      );
    }
  });

  test("energies adds Σx² of each column", async () => {
    for (const [rows, columns] of [
      [1, 1],
      [5, 64],
      [7, 172],
      [300, 3],
    ]) {
      const backend = open();
      const sums = Tensor.from(backend, "f64", [columns], new Float64Array(columns).fill(0.5));
      const x = normalSample([rows, columns], rows);
      backend.kernels.energies(sums, upload(backend, x));
      const expected = new Float64Array(columns).fill(0.5);
      x.values.forEach((value, i) => {
        expected[i % columns] += value ** 2;
      });
      expectSame(await sums.read(), expected);
    }
  });

  test("diagonal takes the elements (i, i)", async () => {
    for (const n of [1, 5, 172]) {
      const backend = open();
      const h = Float64Array.from({ length: n * n }, (_, i) => i + 0.25);
      const out = Tensor.zeros(backend, "f64", [n]);
      backend.kernels.diagonal(out, Tensor.from(backend, "f64", [n, n], h.slice()));
      expectSame(
        await out.read(),
        Array.from({ length: n }, (_, i) => h[i * n + i]),
      );
    }
  });
}
