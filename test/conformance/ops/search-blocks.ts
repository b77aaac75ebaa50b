import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { BlockFormatView } from "../../../src/backend/kernels.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { searchBlocks } from "../../../src/tensor/quantization-ops.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { ShapeError } from "../../../src/util/errors.ts";
import { normalSample } from "./data.ts";

/** Columns of a block and of a group. */
const formats: readonly BlockFormatView[] = [
  ...["q4_0", "q4_1", "q5_0", "q5_1", "q8_0"].map((id) => ({ id, columns: 32, groupColumns: 32 })),
  ...["q2_k", "q3_k", "q6_k"].map((id) => ({ id, columns: 256, groupColumns: 16 })),
  ...["q4_k", "q5_k"].map((id) => ({ id, columns: 256, groupColumns: 32 })),
  ...["tq1_0", "tq2_0"].map((id) => ({ id, columns: 256, groupColumns: 256 })),
  { id: "q1_0", columns: 128, groupColumns: 128 },
  { id: "q2_0", columns: 64, groupColumns: 64 },
];

const [rows, columns] = [3, 1280];
const range = { start: 256, end: 1024 };

/** Weights with zeros, equal values, outliers, and groups that are tiny, of one sign or a grid. */
function oddWeights(): Float32Array {
  const weights = Float32Array.from(normalSample([rows, columns], 5, "f32", 0.05).values);
  weights.fill(0, 256, 272);
  weights.fill(0, columns + 512, columns + 768);
  weights.fill(0.25, 288, 320);
  weights[330] = 40;
  weights[700] = -1e5;
  for (let i = 352; i < 384; i++) weights[i] = -Math.abs(weights[i]);
  for (let i = 384; i < 400; i++) weights[i] *= 1e-20;
  for (let i = 512; i < 768; i++) weights[i] = Math.round(weights[i] * 16) / 16;
  for (let i = columns + 256; i < columns + 512; i++) weights[i] = Math.abs(weights[i]);
  return weights;
}

async function search(
  backend: Backend,
  format: BlockFormatView,
  important: boolean,
  { start, end } = range,
) {
  const blocks = columns / format.columns;
  const groups = columns / format.groupColumns;
  const chosen = {
    codes: Tensor.zeros(backend, "u8", [rows, columns]),
    scales: Tensor.zeros(backend, "f16", [rows, blocks]),
    offsets: Tensor.zeros(backend, "f16", [rows, blocks]),
    subScales: Tensor.zeros(backend, "i8", [rows, groups]),
    subOffsets: Tensor.zeros(backend, "u8", [rows, groups]),
  };
  const values = normalSample([columns], 6, "f32", 1).values.map((value) => value ** 2);
  values.fill(0, 300, 310);
  const importance = Tensor.from(backend, "f32", [columns], Float32Array.from(values));
  const weight = Tensor.from(backend, "f32", [rows, columns], oddWeights());
  searchBlocks(chosen, weight, { format, start, end, importance: important ? importance : null });
  const parts = Object.entries(chosen).map(async ([name, part]) => [
    name,
    [...(await part.read())],
  ]);
  return Object.fromEntries(await Promise.all(parts)) as Record<keyof typeof chosen, number[]>;
}

/** Checks `searchBlocks`. */
export function testSearchBlocks(open: () => Backend): void {
  describe("searchBlocks", () => {
    describe.each(formats)("$id", (format) => {
      test.each([false, true])("has the reference's bits; importance: %s", async (important) => {
        const expected = await search(createReferenceBackend(), format, important);
        expect(await search(open(), format, important)).toEqual(expected);
      });

      test("chooses the columns of its range, as if there were no others", async () => {
        const whole = await search(open(), format, false, { start: 0, end: columns });
        const { codes, scales } = await search(open(), format, false);
        const inside = (i: number) => i % columns >= range.start && i % columns < range.end;
        expect(codes).toEqual(whole.codes.map((code, i) => (inside(i) ? code : 0)));
        const ofBlock = (i: number) => inside(i * format.columns);
        expect(scales).toEqual(whole.scales.map((scale, i) => (ofBlock(i) ? scale : 0)));
        expect(codes.some((code) => code > 0)).toBe(true);
      });

      test("refuses a range that splits a block", async () => {
        const split = search(open(), format, false, { start: 0, end: 16 });
        await expect(split).rejects.toThrow(ShapeError);
      });
    });
  });
}
