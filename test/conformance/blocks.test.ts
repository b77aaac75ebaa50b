import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { sha256 } from "../../src/platform/node.ts";
import type { BlockFormat } from "../../src/quant/blocks/block-format.ts";
import { allocateScales } from "../../src/quant/blocks/block-run.ts";
import { blockFormats } from "../../src/quant/blocks/index.ts";
import { QTensor } from "../../src/quant/q-tensor.ts";
import { expectBlocks, parseScheme } from "../../src/quant/scheme.ts";
import { packedEmbedding } from "../../src/tensor/ops.ts";
import { linear, packedLinear } from "../../src/tensor/products.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { decodePacked } from "../../src/tensor/training-ops.ts";
import { SchemeError, ShapeError } from "../../src/util/errors.ts";
import { floatsToHalves, halvesToFloats } from "../../src/util/half.ts";
import { Prng } from "../../src/util/prng.ts";
import golden from "../golden/blocks.json" with { type: "json" };
import { goldenBytes, withPlainNaN } from "../golden/golden-bytes.ts";

/** A row of two blocks of every format. */
const width = 512;
const rows = 3;

/** Random bytes with scales and offsets that are finite. */
function randomWeight(format: BlockFormat, seed: number): QTensor {
  const prng = new Prng(seed);
  const scheme = parseScheme(format.id);
  const count = (rows * width) / format.columns;
  const bytes = Uint8Array.from({ length: count * format.bytes }, () => prng.below(256));
  const halves = () => floatsToHalves(Array.from({ length: count }, () => prng.normal()));
  const [scales, offsets] = [halves(), halves()];
  for (let i = 0; i < count; i++) {
    const view = new DataView(bytes.buffer, i * format.bytes);
    view.setUint16(format.scaleAt, scales[i], true);
    if (format.offsetAt !== null) view.setUint16(format.offsetAt, offsets[i], true);
  }
  return QTensor.ofBlocks(scheme, rows, width, bytes);
}

/** Random codes, scales and offsets of all that a format holds. */
function randomCodes(format: BlockFormat, seed: number) {
  const prng = new Prng(seed);
  const count = (rows * width) / format.columns;
  const { scales, offsets, subScales, subOffsets } = allocateScales(format, count);
  const [low, high] = format.subScaleRange ?? [0, 0];
  const most = format.largestSubOffset ?? 0;
  return {
    outFeatures: rows,
    inFeatures: width,
    codes: Uint8Array.from({ length: rows * width }, () => prng.below(format.levels)),
    scales: scales.map(() => prng.below(0x7c00)),
    offsets: offsets?.map(() => prng.below(0x7c00)) ?? null,
    subScales: subScales?.map(() => low + prng.below(high - low + 1)) ?? null,
    subOffsets: subOffsets?.map(() => prng.below(most + 1)) ?? null,
  };
}

const named = blockFormats.map((format) => ({ id: format.id, format }));

describe.each(named)("block format $id", ({ id, format }) => {
  const scheme = expectBlocks(parseScheme(id));

  test("its scheme id parses in either case, and says what the format says", () => {
    expect(parseScheme(id.toUpperCase())).toBe(scheme);
    const { grid, groupSize, blocks } = scheme;
    expect(scheme.id).toBe(id);
    expect(blocks).toBe(format);
    expect(groupSize).toBe(format.groupColumns);
    expect([grid.levels, grid.origin, grid.step]).toEqual([
      format.levels,
      format.origin,
      format.step,
    ]);
    expect(grid.zeroPoint === "none").toBe(format.offset === "none");
  });

  test("what it decodes arbitrary bytes to is bit for bit what ggml does", () => {
    const { seed, blocks, first, sha256: hash } = golden[id as keyof typeof golden];
    const bytes = goldenBytes(blocks * format.bytes, seed);
    const weight = QTensor.ofBlocks(scheme, blocks, format.columns, bytes);
    const values = weight.dequantize();
    expect(Array.from(values.filter(Number.isFinite).subarray(0, first.length))).toEqual(first);
    expect(sha256(withPlainNaN(values))).toBe(hash);
  });

  test("codes, scales and offsets survive packing", () => {
    const chosen = randomCodes(format, 1);
    const { outFeatures: _, inFeatures: __, codes, ...scales } = chosen;
    const packed = QTensor.packBlocks(scheme, chosen);
    expect(packed.unpackCodes()).toEqual(codes);
    expect(packed.unpackBlockScales()).toEqual(scales);
    expect(packed.blockScales()).toEqual({ scales: scales.scales, offsets: scales.offsets });
  });

  // Bytes hold more than three codes: what no quantizer writes is decoded, but not written.
  const writesAllBytes = format.levels !== 3;
  if (writesAllBytes) {
    test("arbitrary bytes are what packing their parts gives", () => {
      const weight = randomWeight(format, 2);
      const chosen = { codes: weight.unpackCodes(), ...weight.unpackBlockScales() };
      const packed = QTensor.packBlocks(scheme, {
        outFeatures: rows,
        inFeatures: width,
        ...chosen,
      });
      expect(packed.parts.blocks).toEqual(weight.parts.blocks);
    });
  }

  test("a value is scale · sub-scale · (origin + step · code) and its offset, rounded once", () => {
    const weight = randomWeight(format, 3);
    const codes = weight.unpackCodes();
    const { scales, offsets, subScales, subOffsets } = weight.unpackBlockScales();
    const sign = format.offset === "subtracted" ? -1 : 1;
    const floats = { scales: halvesToFloats(scales), offsets: offsets && halvesToFloats(offsets) };
    const expected = Array.from(codes, (code, i) => {
      const block = Math.floor(i / format.columns);
      const group = Math.floor(i / format.groupColumns);
      const level = format.origin + format.step * code;
      const product = floats.scales[block] * (subScales?.[group] ?? 1) * level;
      if (!floats.offsets) return Math.fround(product);
      return Math.fround(product + sign * floats.offsets[block] * (subOffsets?.[group] ?? 1));
    });
    expect([...weight.dequantize()]).toEqual(expected);
  });

  test("other scales take the place of its own, and nothing else changes", () => {
    const weight = randomWeight(format, 4);
    const { scales } = weight.blockScales();
    const others = scales.map((bits) => bits ^ 1);
    const changed = weight.withScales(others);
    expect(changed.unpackBlockScales()).toEqual({ ...weight.unpackBlockScales(), scales: others });
    expect(changed.unpackCodes()).toEqual(weight.unpackCodes());
    expect(() => weight.withScales(others.subarray(1))).toThrow(ShapeError);
  });

  test("its size is that of its blocks", () => {
    const { sizeBytes, bitsPerWeight } = randomWeight(format, 5);
    expect(sizeBytes).toBe(((rows * width) / format.columns) * format.bytes);
    expect(bitsPerWeight).toBe((8 * format.bytes) / format.columns);
  });

  test("rows that are no whole number of blocks are refused; the hint names what fits", () => {
    const narrow = format.columns / 2;
    expect(() => QTensor.sizes(scheme, 4, narrow)).toThrow(SchemeError);
    expect(() => QTensor.sizes(scheme, 4, narrow)).toThrow(`rows of ${narrow} columns`);
    const fitting = blockFormats.filter(({ columns }) => narrow % columns === 0);
    let hint = "";
    try {
      QTensor.sizes(scheme, 4, narrow);
    } catch (error) {
      if (error instanceof SchemeError) hint = error.hint ?? "";
    }
    for (const other of fitting) expect(hint).toContain(other.id);
    expect(hint).not.toContain(id);
  });

  test("what it cannot hold, and arrays of another length, are refused", () => {
    const chosen = randomCodes(format, 6);
    const pack = (change: object) => () => QTensor.packBlocks(scheme, { ...chosen, ...change });
    expect(pack({ codes: chosen.codes.subarray(1) })).toThrow(ShapeError);
    expect(pack({ scales: chosen.scales.subarray(1) })).toThrow(ShapeError);
    if (format.levels < 256) {
      expect(pack({ codes: chosen.codes.map(() => format.levels) })).toThrow(SchemeError);
    }
    const { subScales, subOffsets, offsets } = chosen;
    expect(pack({ offsets: offsets ? null : chosen.scales })).toThrow(ShapeError);
    const [, high] = format.subScaleRange ?? [0, 127];
    if (subScales && high < 127) {
      expect(pack({ subScales: subScales.map(() => high + 1) })).toThrow(SchemeError);
    }
    const most = format.largestSubOffset;
    if (subOffsets && most !== null) {
      expect(pack({ subOffsets: subOffsets.map(() => most + 1) })).toThrow(SchemeError);
    }
  });

  test("packed products, rows of a table and decoding with its own scales are those of its values", async () => {
    const backend = createReferenceBackend();
    const weight = randomWeight(format, 7);
    const values = weight.dequantize();
    const dense = Tensor.from(backend, "f32", [rows, width], values);
    const prng = new Prng(8);
    const x = Tensor.from(
      backend,
      "f32",
      [2, width],
      Float32Array.from({ length: 2 * width }, () => prng.normal()),
    );
    const product = packedLinear(x, backend.prepare(weight.operand()), "exact");
    expect(await product.read()).toEqual(await linear(x, dense).read());
    const ids = Tensor.from(backend, "i32", [2], Int32Array.of(2, 0));
    const found = await packedEmbedding(backend, weight.operand(), ids).read();
    expect(found.subarray(0, width)).toEqual(values.subarray(2 * width));
    expect(found.subarray(width)).toEqual(values.subarray(0, width));
    const scales = halvesToFloats(weight.blockScales().scales);
    const own = Tensor.from(backend, "f32", [rows, width / format.columns], scales);
    const decoded = (await decodePacked(weight.operand(), own).read()) as Float32Array;
    decoded.forEach((value, i) => expect(value).toBeCloseTo(values[i], 3));
  });
});
