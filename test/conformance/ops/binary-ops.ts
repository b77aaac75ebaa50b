import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { SignSlope } from "../../../src/backend/binary-kernels.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { packedRowBytes } from "../../../src/quant/packing.ts";
import { packings } from "../../../src/quant/packings/index.ts";
import { binaryLinear, limitRows, rowMagnitudes } from "../../../src/tensor/binary-ops.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { floatsToHalves } from "../../../src/util/half.ts";
import { Prng } from "../../../src/util/prng.ts";
import { blankOutput, floatSample, normalSample, upload } from "./data.ts";
import { expectLikeReference } from "./like-reference.ts";

/** Tokens, outFeatures, inFeatures: one and several tokens, words and runs of words that end early. */
const shapes = [
  [1, 1, 1],
  [1, 7, 31],
  [1, 96, 352],
  [2, 33, 65],
  [5, 18, 1024],
  [9, 40, 1300],
  [131, 20, 96],
] as const;

const rowShapes = [
  [1, 1],
  [3, 37],
  [70, 352],
  [2, 5000],
] as const;

const slopes: Readonly<Record<string, SignSlope>> = {
  "the scale and 1/n": { peak: "scale", bound: 1, isRelative: false, base: 1 / 37 },
  "one within the row's root mean square": { peak: "one", bound: 1, isRelative: true, base: 0 },
};

/** Checks the ops of weights and activations that are signs. */
export function testBinaryOps(open: () => Backend): void {
  describe("binary products", () => {
    test.each(shapes)("%d x %d x %d: the same bytes as counted sign by sign", async (...shape) => {
      const [tokens, rows, columns] = shape;
      const signs = drawSigns(rows * columns);
      const x = normalSample([tokens, columns], 3, "f32", 2);
      const inputs = upload(open(), x);
      const ones = await multiply(open(), inputs, signs, rows, columns, false);
      const scaled = await multiply(open(), inputs, signs, rows, columns, true);
      const means = await rowMagnitudes(inputs).read();
      for (let i = 0; i < ones.length; i++) {
        const [token, row] = [Math.floor(i / rows), i % rows];
        let sum = 0;
        for (let k = 0; k < columns; k++) {
          const value = x.values[token * columns + k] >= 0 ? 1 : -1;
          sum += value * (2 * signs[row * columns + k] - 1);
        }
        const own = Math.fround(scaleOf(row) * means[token]);
        expect([ones[i] + 0, scaled[i] + 0]).toEqual([
          scaleOf(row) * sum + 0,
          Math.fround(own * sum) + 0,
        ]);
      }
    });

    test("zeros are positive, and all bits of a wide row differ or none", async () => {
      const columns = 70_000;
      const backend = open();
      const x = upload(backend, floatSample([2, columns], new Float32Array(2 * columns).fill(-0)));
      const same = await multiply(backend, x, new Uint8Array(columns).fill(1), 1, columns, false);
      const other = await multiply(backend, x, new Uint8Array(columns), 1, columns, false);
      const all = scaleOf(0) * columns;
      expect([...same, ...other]).toEqual([all, all, -all, -all]);
    });
  });

  describe.each(rowShapes)("signs of [%d, %d]", (rows, columns) => {
    const draw = (seed: number) => normalSample([rows, columns], seed);

    test("means of magnitudes and limited rows: the same bytes as reference", async () => {
      const run = async (backend: Backend): Promise<number[]> => {
        const x = upload(backend, draw(1)) as Tensor<"f32">;
        const means = [...(await rowMagnitudes(x).read())];
        limitRows(x, true, 0.75);
        return [...means, ...(await x.read())];
      };
      expect(await run(open())).toEqual(await run(createReferenceBackend()));
    });

    test.each(Object.entries(slopes))("values and gradients with %s", (_, slope) =>
      expectLikeReference(
        open(),
        (backend) => {
          const x = upload(backend, draw(1));
          const scales = upload(backend, normalSample([rows], 2));
          const [out, dScales] = [blankOutput(backend, x.shape), blankOutput(backend, [rows])];
          backend.kernels.signRows(out, x, scales);
          // In place: dX may be dOut.
          const dX = upload(backend, draw(3)) as Tensor<"f32">;
          backend.kernels.signRowsBackward({ dX, dScales }, dX, x, scales, slope);
          return [out, dX, dScales];
        },
        1e-5,
      ),
    );
  });
}

const scaleOf = (row: number): number => (1 + (row % 7)) / 64;

function drawSigns(count: number): Uint8Array {
  const random = new Prng(count);
  return Uint8Array.from({ length: count }, () => random.below(2));
}

function multiply(
  backend: Backend,
  x: Tensor,
  signs: Uint8Array,
  rows: number,
  columns: number,
  scalesTokens: boolean,
): Promise<Float32Array> {
  const layout = packings.bits1;
  const rowBytes = packedRowBytes(layout, columns);
  const codes = new Uint8Array(rows * rowBytes);
  for (let row = 0; row < rows; row++) {
    layout.pack(signs, row * columns, columns, codes, row * rowBytes);
  }
  const weight = backend.prepare({
    outFeatures: rows,
    inFeatures: columns,
    groupSize: columns,
    layout,
    codes,
    rowBytes,
    scales: floatsToHalves(Float32Array.from({ length: rows }, (_, row) => scaleOf(row))),
    zeroPoints: null,
    origin: -1,
    step: 2,
  });
  return binaryLinear(x, weight, scalesTokens).read();
}
