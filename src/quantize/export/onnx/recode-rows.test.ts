import { describe, expect, test } from "vitest";
import { affineWeight } from "../../../quant/blocks/mapping/affine-weight.ts";
import { QTensor } from "../../../quant/q-tensor.ts";
import { expectPlanar, groupsPerRow, parseScheme } from "../../../quant/scheme.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";
import { packedBytes, type PackedPlan, planPacked } from "./matrix-plan.ts";
import { blockScales, blockZeros } from "./packed-data.ts";
import { type RecodeRows, rowRecoder } from "../recode-rows.ts";

/** A weight whose codes go through all that there are; scales are 0.1, 0.2, …, zero points differ. */
function weightOf(id: string, rows: number, columns: number): QTensor {
  const scheme = expectPlanar(parseScheme(id));
  const { levels, zeroPoint } = scheme.grid;
  const groups = rows * groupsPerRow(scheme, columns);
  const scales = Uint16Array.from({ length: groups }, (_, i) => floatToHalfBits((i + 1) / 10));
  const zeros = Uint8Array.from({ length: groups }, (_, i) => (3 * i) % levels);
  return QTensor.pack(scheme, {
    outFeatures: rows,
    inFeatures: columns,
    codes: Uint8Array.from({ length: rows * columns }, (_, i) => (7 * i + (i >> 3)) % levels),
    scales,
    ...(zeroPoint === "integer" && { zeros }),
  });
}

function planOf(weight: QTensor): { plan: PackedPlan; affine: ReturnType<typeof affineWeight> } {
  const affine = affineWeight(weight);
  const plan = affine && planPacked(affine, "f32");
  if (plan?.kind !== "packed") throw new Error("expected a plan");
  return { plan, affine };
}

function recoderOf(weight: QTensor): RecodeRows {
  const { plan, affine } = planOf(weight);
  if (!affine) throw new Error("expected an affine weight");
  return rowRecoder(weight, affine, { ...plan, rowBytes: packedBytes(plan, 1).codes });
}

/** The codes of a row, of so many bits, the lowest first. */
function bitsOf(bytes: Uint8Array, bits: number): number[] {
  return [...bytes].flatMap((byte) =>
    Array.from({ length: 8 / bits }, (_, i) => (byte >>> (i * bits)) & (2 ** bits - 1)),
  );
}

describe("codes of a packed weight as MatMulNBits has them", () => {
  test.each([
    ["w2-seq", 4, [5, 7, 9, 11], 1 / 4],
    ["w1.58-seq", 2, [1, 2, 3], Math.fround(2 / 3)],
    ["w1.58", 2, [1, 2, 3], 1],
    ["w1", 2, [1, 3], 1],
    ["w3-sym", 4, [4, 5, 6, 7, 8, 9, 10, 11], 1],
    ["w8-narrow", 8, null, 1],
  ])("%s has %i bits, without zero points", (id, bits, expected, unit) => {
    const weight = weightOf(id, 1, 64);
    const { plan, affine } = planOf(weight);
    if (!affine) throw new Error("expected an affine weight");
    expect(plan).toMatchObject({ bits, zeros: "none", isExact: true });
    const codes = bitsOf(recoderOf(weight)(0, 1), bits);
    if (expected) expect([...new Set(codes)].sort((a, b) => a - b)).toEqual(expected);
    const scale = halfBitsToFloat(floatToHalfBits(0.1)) * unit;
    expect(blockScales(affine, plan)[0]).toBe(Math.fround(scale));
  });

  // Widths that fill bytes, words and blocks, and that do not.
  const widths = [16, 48, 60, 96, 100, 104, 576];
  const ids = [
    "w1",
    "w1.58",
    "w2g16",
    "w2g16-sym",
    "w2-seq",
    "w3g48",
    "w3",
    "w4g32",
    "w4g128",
    "w8",
    "w8g64",
  ];
  test.each(ids.flatMap((id) => widths.map((columns) => [id, columns] as const)))(
    "%s of %i columns: (q − zero)·scale is every weight",
    (id, columns) => {
      const rows = 3;
      const weight = weightOf(id, rows, columns);
      const { plan, affine } = planOf(weight);
      if (!affine) throw new Error("expected an affine weight");
      const { bits, blockSize, blocks } = plan;
      const recode = recoderOf(weight);
      const zeros = blockZeros(affine, plan);
      const scales = blockScales(affine, plan);
      const found = Array.from({ length: rows }, (_, row) => {
        const codes = bitsOf(recode(row, row + 1), bits);
        expect(codes.length).toBe(blocks * blockSize);
        const width = Math.ceil((blocks * bits) / 8);
        const own =
          zeros instanceof Uint8Array
            ? bitsOf(zeros.subarray(row * width, (row + 1) * width), bits)
            : null;
        return Array.from({ length: columns }, (__, column) => {
          const block = Math.floor(column / blockSize);
          const zero = own ? own[block] : 2 ** (bits - 1);
          return Math.fround((codes[column] - zero) * scales[row * blocks + block]);
        });
      });
      expect(Float32Array.from(found.flat())).toEqual(weight.dequantize().map((x) => x + 0));
    },
  );

  test.each([
    ["w4g40", "no whole number of blocks of 16"],
    ["w2g24", "no whole number of blocks of 16"],
  ])("%s is refused: %s", (id, why) => {
    const affine = affineWeight(weightOf(id, 2, 160));
    expect(affine && planPacked(affine, "f32")).toMatchObject({
      kind: "fault",
      why: expect.stringContaining(why),
    });
  });

  test("scales that are no float16 are not exact in float16", () => {
    const affine = affineWeight(weightOf("w2-seq", 1, 64));
    if (!affine) throw new Error("expected an affine weight");
    affine.units[0] = 2 ** -26;
    expect(planPacked(affine, "f16")).toMatchObject({ isExact: false });
  });
});
