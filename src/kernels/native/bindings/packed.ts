import type { TensorView } from "../../../backend/kernels.ts";
import {
  type PackedOperand,
  type PlanarOperand,
  type PreparedOperand,
  scaleColumns,
} from "../../../backend/packed-operand.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import { defineBinding } from "../binding.ts";
import {
  columnsOf,
  countOf,
  dtypeCode,
  exact,
  expectDType,
  f32,
  f32Matrix,
  i32,
  optional,
  rowsOf,
  u8,
  viewOf,
} from "../buffer-rule.ts";
import { type LaidOutOperand, packingNumber } from "../lay-out.ts";

/** Kinds of zero points, by the numbers of `native/ops/decode_codes.h`. */
const zeroKinds = { none: 0, packed: 1, halves: 2 } as const;

/** What `read_packed_rows` takes of a weight as files hold it (`native/ops/decode_codes.h`). */
const packedSizes = ["rows", "columns", "groupSize", "rowBytes", "packing", "zeroKind"] as const;

/** Most weights of one `normedPackedMatmul`. */
const mostWeights = 3;
const noArrays = [null, null, null] as const;

/** What sums of integer products become. */
const outputTypes = { requantize: "u8", scale: "f32", wide: "i32" } as const;

/** Ops of packed weights and of 8-bit integers. */
export const packedBindings = [
  defineBinding("packedMatmul", {
    covers: (_out, _x, weight) => isLaidOut(weight),
    buffers: [f32("out", "tokens", "rows"), f32("x", "tokens", "columns"), ...noArrays],
    sizes: [
      ...(["tokens", "rows", "columns", "groupSize"] as const),
      ...(["bits", "zeroKind", "isFast", "isRowwise"] as const),
    ],
    reals: ["origin", "step"],
    values: (out, x, operand, products, rowwise = false) => {
      const weight = laidOut(operand);
      return [
        out,
        x,
        weight.codes,
        weight.scales,
        weight.zeros,
        tokensOf(x, weight),
        weight.outFeatures,
        weight.inFeatures,
        weight.groupSize,
        weight.bits,
        weight.zeroKind,
        Number(products === "fast"),
        Number(rowwise),
        weight.origin,
        weight.step,
      ];
    },
  }),
  defineBinding("normedPackedMatmul", {
    covers: (_outs, _x, _norm, _eps, [first, ...others]) =>
      first !== undefined && isLaidOut(first) && others.length < mostWeights,
    buffers: [
      f32("first out", "tokens", "rows1"),
      optional(f32("second out", "tokens", "rows2")),
      optional(f32("third out", "tokens", "rows3")),
      f32("x", "tokens", "columns"),
      f32("norm", "columns"),
      ...noArrays,
      ...noArrays,
      ...noArrays,
    ],
    sizes: [
      ...(["tokens", "columns", "groupSize", "zeroKind"] as const),
      ...(["bits1", "bits2", "bits3", "rows1", "rows2", "rows3"] as const),
      "isRowwise",
    ],
    reals: ["eps", "origin", "step"],
    values: ([out1, out2, out3], x, norm, eps, [first, second, third], rowwise = false) => {
      const { inFeatures, groupSize, bits, zeroKind, outFeatures, origin, step } = laidOut(first);
      const views = [out1, out2, out3, x, norm] as const;
      const arrays = [...arraysOf(first), ...arraysOf(second), ...arraysOf(third)] as const;
      const sizes = [tokensOf(x, first), inFeatures, groupSize, zeroKind] as const;
      const formats = [bits, bitsOf(second), bitsOf(third)] as const;
      const rows = [outFeatures, second?.outFeatures ?? 0, third?.outFeatures ?? 0] as const;
      return [
        ...views,
        ...arrays,
        ...sizes,
        ...formats,
        ...rows,
        Number(rowwise),
        eps,
        origin,
        step,
      ];
    },
  }),
  defineBinding("packedEmbedding", {
    covers: (_out, table) => isKnown(table),
    buffers: [f32("out", "tokens", "columns"), null, i32("ids", "tokens"), null, null],
    sizes: [...packedSizes, "tokens"],
    reals: ["origin", "step"],
    values: (out, table, ids) => {
      const scales = "blocks" in table ? null : table.scales;
      return [out, scales, ids, ...packedValues(table), countOf(ids), ...levelsOf(table)];
    },
  }),
  defineBinding("decodePacked", {
    covers: (_out, weight) => isKnown(weight),
    buffers: [
      exact(viewOf("f32", "bf16")("out", "rows", "columns")),
      f32("scales", "rows", "groups"),
      optional(f32("offsets", "rows", "groups")),
      null,
      null,
    ],
    sizes: [...packedSizes, "dtype"],
    reals: ["origin", "step"],
    lengths: ["groups"],
    values: (out, weight, scales, offsets) => {
      const sizes = [...packedValues(weight), dtypeCode(out)] as const;
      return [out, scales, offsets, ...sizes, ...levelsOf(weight), groupsOf(weight)];
    },
  }),
  defineBinding("decodePackedBackward", {
    covers: (_dScales, _dOffsets, _dOut, weight) => isKnown(weight),
    buffers: [
      f32("dScales", "rows", "groups"),
      optional(f32("dOffsets", "rows", "groups")),
      exact(f32Matrix("dOut")),
      null,
      null,
    ],
    sizes: packedSizes,
    reals: ["origin", "step"],
    lengths: ["groups"],
    values: (dScales, dOffsets, dOut, weight) => {
      const views = [dScales, dOffsets, dOut, ...packedValues(weight)] as const;
      return [...views, ...levelsOf(weight), groupsOf(weight)];
    },
  }),
  defineBinding("binaryMatmul", {
    covers: (_out, _x, weight) => isLaidOut(weight),
    buffers: [f32("out", "tokens", "rows"), f32("x", "tokens", "columns"), null, null],
    sizes: ["tokens", "rows", "columns", "scalesTokens"],
    check: (_out, _x, weight) => expectBitRows(laidOut(weight)),
    values: (out, x, operand, scalesTokens) => {
      const weight = laidOut(operand);
      const shape = [tokensOf(x, weight), weight.outFeatures, weight.inFeatures] as const;
      return [out, x, weight.codes, weight.scales, ...shape, Number(scalesTokens)];
    },
  }),
  defineBinding("integerMatmul", {
    buffers: [
      viewOf("u8", "f32", "i32")("out", "tokens", "rows"),
      u8("codes", "tokens", "columns"),
      ...([null, null, null, null, null] as const),
      optional(exact(f32("tokenScales", "tokens"))),
      null,
      optional(exact(i32("factors", "tokens", 2))),
    ],
    check: (out, _codes, _weight, _offsets, { kind }) =>
      expectDType("integerMatmul out", out.dtype, [outputTypes[kind]]),
    sizes: ["tokens", "rows", "columns", "zeroPoint"],
    values: (out, codes, weight, offsets, output) => {
      const views = [out, codes, weight.values, offsets] as const;
      const sizes = [tokensOf(codes, weight), weight.outFeatures, weight.inFeatures] as const;
      if (output.kind === "scale") {
        const { rowScales, tokenScales } = output;
        return [...views, null, null, rowScales, tokenScales, null, null, ...sizes, 0];
      }
      const factors = [output.multipliers, output.shifts, null, null] as const;
      if (output.kind === "requantize") {
        return [...views, ...factors, null, null, ...sizes, output.zeroPoint];
      }
      return [...views, ...factors, output.bias, output.factors, ...sizes, 0];
    },
  }),
  defineBinding("quantizeActivations", {
    buffers: [u8("codes", "rows", "columns"), f32("scales", "rows"), f32Matrix("x")],
    sizes: ["rows", "columns", "zeroPoint"],
    reals: ["scale"],
    values: (codes, scales, x, fixed) => {
      const { zeroPoint, scale } = fixed ?? { zeroPoint: 0, scale: 0 };
      return [codes, scales, x, rowsOf(x), columnsOf(x), zeroPoint, scale];
    },
  }),
  defineBinding("dequantizeActivations", {
    buffers: [f32Matrix("out"), u8("codes", "rows", "columns"), f32("scales", "rows")],
    sizes: ["rows", "columns", "zeroPoint"],
    values: (out, codes, scales, zeroPoint) => {
      return [out, codes, scales, rowsOf(out), columnsOf(out), zeroPoint];
    },
  }),
  defineBinding("rowRanges", {
    buffers: [f32("out", "rows", 2), f32Matrix("x")],
    sizes: ["rows", "columns"],
    values: (out, x) => [out, x, rowsOf(x), columnsOf(x)],
  }),
];

/** Those that are not laid out have a packing that C does not know. */
function isLaidOut(operand: PreparedOperand): boolean {
  return "bits" in operand;
}

function laidOut(operand: PreparedOperand): LaidOutOperand {
  return operand as LaidOutOperand;
}

function expectBitRows({ bits, groupSize, inFeatures }: LaidOutOperand): void {
  if (bits === 1 && groupSize >= inFeatures) return;
  throw new UnsupportedError("binary products need weights of one bit and one scale a row");
}

function arraysOf(operand: PreparedOperand | undefined) {
  if (!operand) return noArrays;
  const { codes, scales, zeros } = laidOut(operand);
  return [codes, scales, zeros] as const;
}

function tokensOf(x: TensorView, { inFeatures }: { readonly inFeatures: number }): number {
  return inFeatures === 0 ? 0 : countOf(x) / inFeatures;
}

function bitsOf(operand: PreparedOperand | undefined): number {
  return operand ? laidOut(operand).bits : 0;
}

function isKnown(operand: PackedOperand): boolean {
  return packingNumber(operand) !== null && !("table" in operand);
}

function groupsOf(operand: PackedOperand): number {
  return Math.ceil(operand.inFeatures / scaleColumns(operand));
}

/** Origin and step; C knows those of blocks by their format. */
function levelsOf(operand: PackedOperand): readonly [origin: number, step: number] {
  return "blocks" in operand ? [0, 1] : [operand.origin, operand.step];
}

/** The arrays and the sizes of a weight as files hold it. */
function packedValues(operand: PackedOperand) {
  const { outFeatures, inFeatures, groupSize, rowBytes } = operand;
  const codes = "blocks" in operand ? operand.blocks : operand.codes;
  const zeroPoints = "blocks" in operand ? null : operand.zeroPoints;
  const kinds = [packingNumber(operand) ?? 0, kindOfZeros(zeroPoints)] as const;
  return [codes, zeroPoints, outFeatures, inFeatures, groupSize, rowBytes, ...kinds] as const;
}

function kindOfZeros(zeroPoints: PlanarOperand["zeroPoints"]): number {
  if (!zeroPoints) return zeroKinds.none;
  return zeroPoints instanceof Uint16Array ? zeroKinds.halves : zeroKinds.packed;
}
