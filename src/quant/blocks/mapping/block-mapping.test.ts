import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../../../kernels/reference/index.ts";
import { Tensor } from "../../../tensor/tensor.ts";
import { Prng } from "../../../util/prng.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";
import type { BlockFormatId } from "../block-format.ts";
import { decodeBlocks } from "../block-weight.ts";
import { findBlockFormat } from "../index.ts";
import { FakeQuantized } from "../../fake-quantized.ts";
import { QTensor } from "../../q-tensor.ts";
import { groupsPerRow, parseScheme } from "../../scheme.ts";
import { ShiftedWeight } from "../../shifted-weight.ts";
import { affineWeight, decodeRows } from "./affine-weight.ts";
import { BlockMapping } from "./block-mapping.ts";

const [outFeatures, inFeatures] = [6, 512];

/** A weight with random codes, and scales and zero points as given. */
function randomWeight(
  id: string,
  seed: number,
  scaleOf: (index: number, random: () => number) => number = (_, random) =>
    0.002 + 0.5 * random() ** 3,
): QTensor {
  const scheme = parseScheme(id);
  if (scheme.blocks) throw new Error("expected a scheme without blocks");
  const prng = new Prng(seed);
  const random = () => prng.uniform();
  const groups = outFeatures * groupsPerRow(scheme, inFeatures);
  const { levels, zeroPoint } = scheme.grid;
  const codes = Uint8Array.from({ length: outFeatures * inFeatures }, () =>
    Math.floor(random() * levels),
  );
  const scales = Uint16Array.from({ length: groups }, (_, i) =>
    floatToHalfBits(scaleOf(i, random)),
  );
  const chosen = { outFeatures, inFeatures, codes, scales };
  if (zeroPoint === "none") return QTensor.pack(scheme, chosen);
  const drawn = Array.from({ length: groups }, () => random() * levels);
  const zeros =
    zeroPoint === "integer"
      ? Uint8Array.from(drawn, Math.floor)
      : Uint16Array.from(drawn, floatToHalfBits);
  return QTensor.pack(scheme, { ...chosen, zeros });
}

function mappingOf(weight: QTensor, format: BlockFormatId): BlockMapping {
  const affine = affineWeight(weight);
  const found = findBlockFormat(format);
  if (!affine || !found) throw new Error(`no mapping to ${format}`);
  return new BlockMapping(affine, found);
}

function expectSameValues(weight: QTensor, mapping: BlockMapping): void {
  const found = decodeBlocks(mapping.format, mapping.rows(0, outFeatures));
  const expected = weight.dequantize();
  expect(found.findIndex((value, i) => value !== expected[i])).toBe(-1);
}

describe("codes and scales rewritten as blocks decode to the same floats", () => {
  test.each<[scheme: string, formats: readonly BlockFormatId[]]>([
    ["w1", ["q1_0", "q4_0", "q8_0", "q2_k", "q3_k", "q4_k", "q5_0", "q6_k"]],
    ["w1-elastic", ["q1_0"]],
    ["w1g128", ["q1_0", "q4_0"]],
    ["w1.58", ["tq1_0", "tq2_0", "q2_0", "q2_k", "q3_k", "q4_0", "q4_1", "q4_k", "q8_0"]],
    ["w1.58g256", ["tq1_0", "tq2_0", "q2_k", "q2_0"]],
    ["w2-seq", ["q2_k", "q3_k", "q4_0", "q4_k", "q5_k", "q8_0"]],
    ["w2g256-seq", ["q2_k"]],
    ["w2-sym", ["q2_k", "q2_0", "q3_k", "q4_0", "q4_1", "q8_0"]],
    ["w2g64-sym", ["q2_0", "q4_0", "q5_0", "q8_0"]],
    ["w2", ["q2_k", "q3_k", "q4_0", "q4_k", "q8_0"]],
    ["w2g64", ["q4_0", "q5_0", "q8_0"]],
    ["w3-sym", ["q3_k", "q4_0", "q4_k", "q8_0"]],
    ["w3", ["q4_0", "q4_k", "q5_k", "q6_k", "q8_0"]],
    ["w3g32", ["q4_0", "q5_0", "q8_0"]],
    ["w4-sym", ["q4_0", "q4_1", "q4_k", "q5_0", "q8_0"]],
    ["w4g32-sym", ["q4_0", "q4_1", "q5_0", "q8_0"]],
    ["w4g128-sym", ["q4_0"]],
    ["w4", ["q4_k", "q5_k", "q5_0", "q6_k", "q8_0"]],
    ["w4g32", ["q5_0", "q8_0"]],
    ["w8-sym", ["q8_0"]],
    ["w8g32-sym", ["q8_0"]],
    ["w8-narrow", ["q8_0"]],
  ])("%s as %j", (id, formats) => {
    for (const [seed, format] of formats.entries()) {
      const weight = randomWeight(id, seed);
      const mapping = mappingOf(weight, format);
      expect([format, mapping.kind()]).toEqual([format, "exact"]);
      expectSameValues(weight, mapping);
    }
  });

  test("rows that are no scales' worth: a scale of zero, and negative scales", () => {
    const odd = (i: number): number => [0, -0.37, 0.5, -1e-3, 0, 2][i % 6];
    for (const [id, format] of [
      ["w1.58", "tq2_0"],
      ["w2-seq", "q2_k"],
      ["w3-sym", "q3_k"],
      ["w4g64-sym", "q4_0"],
      ["w8-sym", "q8_0"],
    ] as const) {
      const weight = randomWeight(id, 3, odd);
      const mapping = mappingOf(weight, format);
      expect([id, mapping.kind()]).toEqual([id, "exact"]);
      expectSameValues(weight, mapping);
    }
  });

  test("groups of a superblock fit where their scales are multiples of one", () => {
    const multiples = (i: number): number => 0.0123 * (1 + (i % 15));
    for (const [id, format] of [
      ["w2g16-sym", "q2_k"],
      ["w3g16-sym", "q3_k"],
      ["w2g32-seq", "q4_k"],
    ] as const) {
      const weight = randomWeight(
        id,
        4,
        (i) => halfBitsToFloat(floatToHalfBits(0.0123)) * ((i % 4) + 1),
      );
      const mapping = mappingOf(weight, format);
      expect([id, mapping.kind()]).toEqual([id, "exact"]);
      expectSameValues(weight, mapping);
    }
    expect(mappingOf(randomWeight("w3g16-sym", 5, multiples), "q3_k").kind()).not.toBe("exact");
  });
});

describe("what is not exact is said", () => {
  test.each<[scheme: string, format: BlockFormatId, kind: string]>([
    ["w4g32", "q4_0", "impossible"],
    ["w8", "q8_0", "impossible"],
    ["w4-sym", "q3_k", "impossible"],
    ["w3-sym", "q2_k", "impossible"],
    ["w2-seq", "q2_0", "impossible"],
    ["w2g16", "q4_0", "impossible"],
    ["w4g32-floatzero", "q5_0", "impossible"],
    ["w4g32", "q4_1", "rounded"],
    ["w4g32-floatzero", "q4_1", "rounded"],
    ["w1.58-seq", "tq2_0", "rounded"],
    ["w1.58-seq", "q2_k", "rounded"],
    ["w2g64-sym", "q2_k", "impossible"],
  ])("%s as %s: %s", (id, format, kind) => {
    expect(mappingOf(randomWeight(id, 1), format).kind()).toBe(kind);
  });

  test("a quarter of a scale that float16 does not hold makes SEQ inexact as Q2_K", () => {
    const tiny = 2 ** -13 * (1 + 2 ** -10);
    const mapping = mappingOf(
      randomWeight("w2-seq", 2, () => tiny),
      "q2_k",
    );
    expect(mapping.kind()).toBe("rounded");
    const even = mappingOf(
      randomWeight("w2-seq", 2, () => 2 ** -13),
      "q2_k",
    );
    expect(even.kind()).toBe("exact");
  });

  test("ternary SEQ is exact as every ternary type where scales are thirds, as they are trained", async () => {
    const random = new Prng(5);
    const rows = 4;
    const values = Float32Array.from({ length: rows * inFeatures }, () => random.normal());
    const shape = [rows, inFeatures];
    const weight = Tensor.from(createReferenceBackend(), "f32", shape, values);
    const trained = await FakeQuantized.of(weight, parseScheme("w1.58-seq"));
    const packed = await trained.freeze();
    for (const format of ["tq1_0", "tq2_0", "q2_0", "q2_k"] as const) {
      const mapping = mappingOf(packed, format);
      expect(mapping.kind()).toBe("exact");
      expect(decodeBlocks(mapping.format, mapping.rows(0, rows))).toEqual(packed.dequantize());
    }
  });

  test.each(["w2-seq", "w2g256-seq"])(
    "%s with shifted roundings in ranges kept in part is exact as Q2_K",
    async (id) => {
      const random = new Prng(6);
      const rows = 4;
      const values = Float32Array.from({ length: rows * inFeatures }, () => random.normal());
      const weight = Tensor.from(createReferenceBackend(), "f32", [rows, inFeatures], values);
      const start = { search: true, importance: null };
      const shifted = await ShiftedWeight.of(weight, parseScheme(id), start);
      const [{ value: shifts }] = shifted.parameters;
      for (let i = 0; i < shifts.size; i++) {
        (shifts.storage as Float32Array)[i] = random.normal() / 4;
      }
      const packed = await shifted.freeze();
      const mapping = mappingOf(packed, "q2_k");
      expect(mapping.kind()).toBe("exact");
      expect(decodeBlocks(mapping.format, mapping.rows(0, rows))).toEqual(packed.dequantize());
    },
  );

  test("a rounded mapping keeps codes: values move by the rounding of a float16", () => {
    for (const [id, format] of [
      ["w1.58-seq", "tq2_0"],
      ["w4g32", "q4_1"],
      ["w4g64-floatzero", "q4_1"],
    ] as const) {
      const weight = randomWeight(id, 8);
      const mapping = mappingOf(weight, format);
      const found = decodeBlocks(mapping.format, mapping.rows(0, outFeatures));
      const expected = weight.dequantize();
      const { scales } = weight.parts;
      const perRow = scales.length / outFeatures;
      const width = inFeatures / perRow;
      for (const [i, value] of found.entries()) {
        const scale = halfBitsToFloat(scales[Math.floor(i / width)]);
        expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(Math.abs(scale) * 2 ** -7);
      }
    }
  });
});

test("rows decode as the weight does, whichever are asked for", () => {
  for (const id of ["w1", "w1.58-seq", "w2-seq", "w3g48", "w4g100", "w8g64-floatzero"]) {
    const weight = randomWeight(id, 6);
    const affine = affineWeight(weight);
    if (!affine) throw new Error("expected an affine weight");
    const all = weight.dequantize();
    expect(decodeRows(affine, 2, 5)).toEqual(all.subarray(2 * inFeatures, 5 * inFeatures));
  }
});
