import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import { activationBlock, type Products } from "../../../src/backend/packed-operand.ts";
import type { BlockFormat } from "../../../src/quant/blocks/block-format.ts";
import { blockFormats } from "../../../src/quant/blocks/index.ts";
import { QTensor } from "../../../src/quant/q-tensor.ts";
import { parseScheme } from "../../../src/quant/scheme.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { floatsToHalves } from "../../../src/util/half.ts";
import { Prng } from "../../../src/util/prng.ts";
import { roundHalfEven } from "../../../src/util/rounding.ts";
import { blankOutput, normalSample, upload, uploadIds } from "./data.ts";
import { expectSame, expectWithin } from "./expect-within.ts";
import { product } from "./formulas.ts";
import { expectLikeReference } from "./like-reference.ts";
import { remember } from "./remember.ts";

/** Tokens, outFeatures and blocks a row: decode, small batches and prefill; rows of no lanes. */
const shapes = [
  [1, 1, 1],
  [1, 37, 3],
  [2, 16, 2],
  [5, 70, 1],
  [33, 19, 2],
] as const;

const tolerance = { relative: 2e-6 };

/** Checks products, rows and decoding of weights in blocks of every format. */
export function testBlockProducts(open: () => Backend): void {
  describe.each(blockFormats.map((format) => ({ id: format.id, format })))(
    "blocks of $id",
    ({ format }) => {
      test.each(["exact", "fast"] as const)(
        "packedMatmul, %s: x·Ŵᵀ for every shape",
        async (products) => {
          for (const [tokens, rows, blocks] of shapes) {
            await checkProduct(open(), format, [tokens, rows, blocks], products);
          }
        },
      );

      test("an exact product with an identity gives the weights themselves", async () => {
        const backend = open();
        const weight = randomBlocks(format, 21, 2);
        const width = weight.inFeatures;
        const identity = Float32Array.from({ length: width * width }, (_, i) =>
          i % (width + 1) === 0 ? 1 : 0,
        );
        const x = Tensor.from(backend, "f32", [width, width], identity);
        const out = blankOutput(backend, [width, 21]);
        backend.kernels.packedMatmul(out, x, backend.prepare(weight.operand()), "exact");
        const values = await out.read();
        const columns = weight
          .dequantize()
          .map((_, i) => values[(i % width) * 21 + Math.floor(i / width)]);
        expect(columns.map(plainZero)).toEqual(weight.dequantize().map(plainZero));
      });

      test("packedEmbedding decodes the rows asked for, bit for bit", async () => {
        const backend = open();
        const weight = randomBlocks(format, 9, 3);
        const width = weight.inFeatures;
        const ids = [8, 0, 4, 0];
        const out = blankOutput(backend, [ids.length, width]);
        backend.kernels.packedEmbedding(out, weight.operand(), uploadIds(backend, ids));
        const values = weight.dequantize();
        const rows = ids.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]);
        expectSame(await out.read(), rows);
      });

      test("decodePacked with other scales and offsets, and its gradients", async () => {
        const weight = randomBlocks(format, 7, 3);
        const operand = weight.operand();
        const shape = [7, 3];
        for (const hasOffsets of format.offset === "none" ? [false] : [false, true]) {
          await expectLikeReference(open(), (backend) => {
            const scales = upload(backend, normalSample(shape, 5));
            const offsets = hasOffsets ? upload(backend, normalSample(shape, 6)) : null;
            const out = blankOutput(backend, [7, weight.inFeatures]);
            const halves = Tensor.zeros(backend, "bf16", out.shape);
            const dOut = upload(backend, normalSample(out.shape, 7));
            const dScales = blankOutput(backend, shape);
            const dOffsets = hasOffsets ? blankOutput(backend, shape) : null;
            backend.kernels.decodePacked(out, operand, scales, offsets);
            backend.kernels.decodePacked(halves, operand, scales, offsets);
            backend.kernels.decodePackedBackward(dScales, dOffsets, dOut, operand);
            return [out, halves, dScales, ...(dOffsets ? [dOffsets] : [])];
          });
        }
      });
    },
  );

  test.each(mixtures())("normedPackedMatmul of %s: the same bits as single ops", async (ids) => {
    const backend = open();
    const formats = ids.split(", ").map((id) => expectFormat(id));
    const width = Math.max(...formats.map(({ columns }) => columns)) * 2;
    const rows = [40, 8, 17];
    const operands = rows.map((out, i) => {
      const format = formats[i % formats.length];
      return backend.prepare(randomBlocks(format, out, width / format.columns).operand());
    });
    expect(new Set(operands.map(({ kind }) => kind)).size).toBe(1);
    const norm = upload(backend, normalSample([width], 3));
    for (const tokens of [1, 5, 33]) {
      const x = upload(backend, normalSample([tokens, width], tokens));
      const outs = rows.map((out) => blankOutput(backend, [tokens, out]));
      backend.kernels.normedPackedMatmul(outs, x, norm, 1e-5, operands);
      const normed = blankOutput(backend, [tokens, width]);
      backend.kernels.rmsNorm(normed, x, norm, 1e-5);
      for (const [i, operand] of operands.entries()) {
        const expected = blankOutput(backend, [tokens, rows[i]]);
        backend.kernels.packedMatmul(expected, normed, operand, "fast");
        expectSame(await outs[i].read(), await expected.read());
      }
    }
  });
}

/** Formats whose inputs are rounded by the same number of columns, by their ids. */
function mixtures(): string[] {
  const byBlock = Map.groupBy(blockFormats, ({ columns }) => activationBlock(columns));
  return [...byBlock.values()].map((formats) => formats.map(({ id }) => id).join(", "));
}

function expectFormat(id: string): BlockFormat {
  const format = blockFormats.find((other) => other.id === id);
  if (!format) throw new Error(`no format ${id}`);
  return format;
}

async function checkProduct(
  backend: Backend,
  format: BlockFormat,
  [tokens, rows, blocks]: readonly [number, number, number],
  products: Products,
): Promise<void> {
  const weight = randomBlocks(format, rows, blocks);
  const width = weight.inFeatures;
  const x = normalSample([tokens, width], tokens);
  const out = blankOutput(backend, [tokens, rows]);
  backend.kernels.packedMatmul(
    out,
    upload(backend, x),
    backend.prepare(weight.operand()),
    products,
  );
  const expected = remember(`${format.id} ${tokens} ${rows} ${blocks} ${products}`, () => {
    const inputs =
      products === "fast" ? roundInputs(x.values, activationBlock(format.columns)) : x.values;
    return product(tokens, rows, width, inputs, Float64Array.from(weight.dequantize()));
  });
  expectWithin(await out.read(), expected, productTolerance(format));
}

/** Of a value and its offset the parts cancel, so errors are larger than the sum of values says. */
function productTolerance({ offset }: BlockFormat): typeof tolerance {
  return offset === "none" ? tolerance : { relative: 20 * tolerance.relative };
}

/** Random bytes with scales and offsets that are finite. */
function randomBlocks(format: BlockFormat, rows: number, blocks: number): QTensor {
  return remember(`${format.id} ${rows} ${blocks}`, () => {
    const random = new Prng(rows * 100 + blocks);
    const count = rows * blocks;
    const bytes = Uint8Array.from({ length: count * format.bytes }, () => random.below(256));
    const halves = () => floatsToHalves(Array.from({ length: count }, () => random.normal() / 16));
    const [scales, offsets] = [halves(), halves()];
    for (let i = 0; i < count; i++) {
      const view = new DataView(bytes.buffer, i * format.bytes);
      view.setUint16(format.scaleAt, scales[i], true);
      if (format.offsetAt !== null) view.setUint16(format.offsetAt, offsets[i], true);
    }
    return QTensor.ofBlocks(parseScheme(format.id), rows, blocks * format.columns, bytes);
  });
}

/** What fast products multiply by: each run of inputs, rounded to 255 values. */
function roundInputs(x: Float64Array, width: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    const largest = Math.max(...x.subarray(start, start + width).map(Math.abs));
    const inverse = largest > 0 ? Math.fround(127 / largest) : 0;
    for (let i = start; i < start + width; i++) {
      out[i] = Math.fround(largest / 127) * roundHalfEven(Math.fround(x[i] * inverse));
    }
  }
  return out;
}

function plainZero(x: number): number {
  return x === 0 ? 0 : x;
}
