import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import {
  activationBlock,
  type PackedOperand,
  type Products,
} from "../../../src/backend/packed-operand.ts";
import { packedRowBytes, type PackingId } from "../../../src/quant/packing.ts";
import { packings } from "../../../src/quant/packings/index.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { FewbitError } from "../../../src/util/errors.ts";
import { floatsToHalves, floatToHalfBits, halfBitsToFloat } from "../../../src/util/half.ts";
import { Prng } from "../../../src/util/prng.ts";
import { roundHalfEven } from "../../../src/util/rounding.ts";
import { blankOutput, floatSample, normalSample, upload, uploadIds } from "./data.ts";
import { type Exact, exactly, expectSame, expectWithin } from "./expect-within.ts";
import { product } from "./formulas.ts";
import { expectLikeReference } from "./like-reference.ts";
import { remember } from "./remember.ts";

// Float32 sums over exactly widened weights.
const tolerance = { relative: 2e-6 };

/**
 * Tokens, outFeatures, inFeatures: decode, small batches and prefill; widths that no unit divides.
 */
const shapes = [
  [1, 1, 8],
  [1, 7, 172],
  [1, 96, 352],
  [2, 5, 13],
  [4, 33, 172],
  [8, 16, 352],
  [9, 19, 100],
  [33, 40, 172],
] as const;

const groupSizes = [8, 12, 32, 64, 100, 128] as const;

/** More than one block of tokens, of rows and of columns. */
const largeShapes = [
  [1, 70, 1300],
  [70, 130, 700],
] as const;

/** How codes become values: with kinds of zero points, or by a table of all rows or of each. */
const decodings = [
  "no zero point",
  "integer zero points",
  "float16 zero points",
  "a table",
  "tables of rows",
] as const;
type Decoding = (typeof decodings)[number];

/** Vocabulary, width and group size of tables that rows are looked up in. */
const tables = [
  [1, 8, 8],
  [5, 13, 13],
  [11, 172, 64],
  [300, 352, 100],
] as const;

interface PackedSample {
  /** Names the sample. */
  readonly key: string;
  readonly operand: PackedOperand;
  /** Decoded weight, `[outFeatures, inFeatures]`. */
  readonly values: Float64Array;
  /** The same with the values of tables rounded as fast products round them. */
  readonly rounded: Float64Array;
}

/** Checks `packedMatmul` for every packing, group size and kind of decoding. */
export function testPackedProducts(open: () => Backend): void {
  describe("packedMatmul", () => {
    for (const id of Object.keys(packings) as PackingId[]) {
      for (const decoding of decodings) {
        test(`${id}, ${decoding}: x·Ŵᵀ for every group size, with a shorter last group`, async () => {
          for (const [tokens, out, width] of shapes) {
            const sizes = groupSizes.filter((size) => size < width);
            for (const groupSize of [...sizes, width]) {
              await check(open(), tokens, packSample(id, decoding, out, width, groupSize));
            }
          }
          for (const [tokens, out, width] of largeShapes) {
            await check(open(), tokens, packSample(id, decoding, out, width, 128));
          }
        });
      }
    }

    for (const id of Object.keys(packings) as PackingId[]) {
      test(`packedEmbedding of ${id} decodes the rows asked for, in any order`, async () => {
        for (const decoding of decodings) {
          for (const [vocabulary, width, groupSize] of tables) {
            const backend = open();
            const { operand, values } = packSample(id, decoding, vocabulary, width, groupSize);
            const ids = [vocabulary - 1, 0, vocabulary >> 1, 0];
            const out = blankOutput(backend, [ids.length, width]);
            backend.kernels.packedEmbedding(out, operand, uploadIds(backend, ids));
            const rows = ids.map((row) => values.subarray(row * width, (row + 1) * width));
            const exact = Float64Array.from(rows.flatMap((row) => [...row]));
            expectWithin(await out.read(), exactly(exact), { relative: 2e-7 });
          }
        }
      });
    }

    for (const id of Object.keys(packings) as PackingId[]) {
      test(`decodePacked of ${id} with other scales, and its gradient`, async () => {
        for (const decoding of decodings) {
          for (const [outFeatures, width, groupSize] of tables) {
            const { operand } = packSample(id, decoding, outFeatures, width, groupSize);
            await expectLikeReference(open(), (backend) => {
              const shape = [outFeatures, Math.ceil(width / groupSize)];
              const scales = upload(backend, normalSample(shape, 5));
              const out = blankOutput(backend, [outFeatures, width]);
              const halves = Tensor.zeros(backend, "bf16", out.shape);
              const dOut = upload(backend, normalSample(out.shape, 6));
              const dScales = blankOutput(backend, shape);
              backend.kernels.decodePacked(out, operand, scales, null);
              backend.kernels.decodePacked(halves, operand, scales, null);
              backend.kernels.decodePackedBackward(dScales, null, dOut, operand);
              return [out, halves, dScales];
            });
          }
        }
      });
    }

    test("packedEmbedding refuses an id outside the table", async () => {
      const backend = open();
      const { operand } = packSample("bits4", "integer zero points", 5, 16, 8);
      const out = blankOutput(backend, [1, 16]);
      await expect(async () => {
        backend.kernels.packedEmbedding(out, operand, uploadIds(backend, [5]));
        await backend.synchronize();
      }).rejects.toThrow(FewbitError);
    });

    test("one prepared operand serves decode and prefill", async () => {
      const backend = open();
      const weight = packSample("bits4", "integer zero points", 24, 64, 32);
      const prepared = backend.prepare(weight.operand);
      for (const tokens of [1, 40, 1]) {
        const x = normalSample([tokens, 64], tokens);
        const out = blankOutput(backend, [tokens, 24]);
        backend.kernels.packedMatmul(out, upload(backend, x), prepared, "exact");
        expectWithin(await out.read(), exactProduct(tokens, weight, x.values, "exact"), tolerance);
      }
    });

    test("a row of zeros and a row with one outlier keep their fast products", async () => {
      const backend = open();
      const weight = packSample("bits2", "integer zero points", 20, 192, 64);
      const values = new Float64Array(2 * 192);
      values[192 + 70] = 1e4;
      values[192 + 100] = 1;
      const x = floatSample([2, 192], values);
      const out = blankOutput(backend, [2, 20]);
      backend.kernels.packedMatmul(
        out,
        upload(backend, x),
        backend.prepare(weight.operand),
        "fast",
      );
      const rounded = roundActivations(x.values, 192, 64);
      expect(rounded[192 + 100]).toBe(0);
      expectWithin(await out.read(), product(2, 20, 192, rounded, weight.values), tolerance);
    });
  });
}

/**
 * Checks that one kernel for norm, rounding and up to three products gives what the single ones
 * give.
 */
export function testNormedPackedProducts(open: () => Backend): void {
  describe("normedPackedMatmul", () => {
    for (const id of Object.keys(packings) as PackingId[]) {
      test(`${id}: the same bits as rmsNorm, then fast products`, async () => {
        const backend = open();
        const rows = [40, 8, 17];
        const operands = rows.map((out) =>
          backend.prepare(packSample(id, "integer zero points", out, 172, 64).operand),
        );
        const norm = upload(backend, normalSample([172], 3));
        for (const tokens of [1, 5, 33]) {
          const x = upload(backend, normalSample([tokens, 172], tokens));
          const outs = rows.map((out) => blankOutput(backend, [tokens, out]));
          backend.kernels.normedPackedMatmul(outs, x, norm, 1e-5, operands);
          const normed = blankOutput(backend, [tokens, 172]);
          backend.kernels.rmsNorm(normed, x, norm, 1e-5);
          for (const [i, operand] of operands.entries()) {
            const expected = blankOutput(backend, [tokens, rows[i]]);
            backend.kernels.packedMatmul(expected, normed, operand, "fast");
            expectSame(await outs[i].read(), await expected.read());
          }
        }
      });
    }
  });
}

function packSample(
  id: PackingId,
  decoding: Decoding,
  outFeatures: number,
  inFeatures: number,
  groupSize: number,
): PackedSample {
  const key = `${id} ${decoding} ${outFeatures} ${inFeatures} ${groupSize}`;
  return remember(key, () => {
    const random = new Prng(outFeatures * 1000 + inFeatures + groupSize);
    const layout = packings[id];
    const groups = outFeatures * Math.ceil(inFeatures / groupSize);
    const draw = (length: number) => Float32Array.from({ length }, () => random.normal());
    const drawCodes = (length: number) =>
      Uint8Array.from({ length }, () => random.below(layout.levels));
    const scales = floatsToHalves(draw(groups));
    const halfZeros = floatsToHalves(draw(groups).map((z) => z + layout.levels / 2));
    const integerZeros = drawCodes(groups);
    const packedZeros = new Uint8Array(packedRowBytes(layout, groups));
    layout.pack(integerZeros, 0, groups, packedZeros, 0);
    const [origin, step] = decoding === "no zero point" ? [-1.5, 0.5] : [0, 1];
    const zeroPoints = {
      "no zero point": null,
      "integer zero points": packedZeros,
      "float16 zero points": halfZeros,
      "a table": null,
      "tables of rows": null,
    }[decoding];
    const halfTables = floatsToHalves(draw(outFeatures * layout.levels));
    const table = {
      "a table": draw(layout.levels).sort(),
      "tables of rows": halfTables,
      "no zero point": undefined,
      "integer zero points": undefined,
      "float16 zero points": undefined,
    }[decoding];
    const tableOf = (row: number): number[] | null => {
      if (!(table instanceof Uint16Array)) return table ? [...table] : null;
      return [...table.subarray(row * layout.levels, (row + 1) * layout.levels)].map(
        halfBitsToFloat,
      );
    };
    const zeroOf = (group: number): number => {
      if (decoding === "integer zero points") return integerZeros[group];
      return decoding === "float16 zero points" ? halfBitsToFloat(halfZeros[group]) : 0;
    };
    const rowBytes = packedRowBytes(layout, inFeatures);
    const bytes = new Uint8Array(outFeatures * rowBytes);
    const values = new Float64Array(outFeatures * inFeatures);
    const rounded = new Float64Array(outFeatures * inFeatures);
    for (let row = 0; row < outFeatures; row++) {
      const codes = drawCodes(inFeatures);
      layout.pack(codes, 0, inFeatures, bytes, row * rowBytes);
      const stored = tableOf(row);
      const inSteps = stored && roundValues(stored);
      for (let column = 0; column < inFeatures; column++) {
        const group = row * Math.ceil(inFeatures / groupSize) + Math.floor(column / groupSize);
        const code = codes[column];
        const level = stored ? stored[code] : origin + step * (code - zeroOf(group));
        const at = row * inFeatures + column;
        values[at] = halfBitsToFloat(scales[group]) * level;
        rounded[at] = inSteps ? halfBitsToFloat(scales[group]) * inSteps[code] : values[at];
      }
    }
    const shape = { outFeatures, inFeatures, groupSize, rowBytes };
    const decode = { scales, zeroPoints, origin, step, ...(table && { table }) };
    return { key, operand: { ...shape, layout, codes: bytes, ...decode }, values, rounded };
  });
}

async function check(backend: Backend, tokens: number, weight: PackedSample): Promise<void> {
  const { outFeatures, inFeatures } = weight.operand;
  const x = normalSample([tokens, inFeatures], tokens);
  const prepared = backend.prepare(weight.operand);
  for (const products of ["exact", "fast"] as const) {
    const out = blankOutput(backend, [tokens, outFeatures]);
    backend.kernels.packedMatmul(out, upload(backend, x), prepared, products);
    expectWithin(await out.read(), exactProduct(tokens, weight, x.values, products), tolerance);
  }
}

function exactProduct(
  tokens: number,
  { key, operand, values, rounded }: PackedSample,
  x: Float64Array,
  products: Products,
): Exact {
  const { outFeatures, inFeatures, groupSize } = operand;
  const rounds = products === "fast";
  return remember(`${key} × ${tokens} ${rounds}`, () => {
    const inputs = rounds ? roundActivations(x, inFeatures, groupSize) : x;
    return product(tokens, outFeatures, inFeatures, inputs, rounds ? rounded : values);
  });
}

/** Values of a table as asymmetric 7-bit integers over their range and zero, in 126 steps. */
function roundValues(values: readonly number[]): number[] {
  const low = Math.min(0, ...values);
  const step = halfBitsToFloat(floatToHalfBits((Math.max(0, ...values) - low) / 126));
  const zero = roundHalfEven(-low / step);
  const codes = values.map((value) => roundHalfEven(value / step) + zero);
  return codes.map((code) => step * (Math.min(Math.max(code, 0), 127) - zero));
}

/**
 * What fast products multiply by: each run of a group's inputs, of up to 128, rounded to 255
 * values.
 */
function roundActivations(x: Float64Array, width: number, groupSize: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let start = 0; start < x.length; ) {
    const column = start % width;
    const groupEnd = Math.min(width, (Math.floor(column / groupSize) + 1) * groupSize);
    const end = start + Math.min(groupEnd - column, activationBlock(groupSize));
    const largest = Math.max(...x.subarray(start, end).map(Math.abs));
    const inverse = largest > 0 ? Math.fround(127 / largest) : 0;
    for (let i = start; i < end; i++) {
      const code = roundHalfEven(Math.fround(x[i] * inverse));
      out[i] = Math.fround(largest / 127) * code;
    }
    start = end;
  }
  return out;
}
