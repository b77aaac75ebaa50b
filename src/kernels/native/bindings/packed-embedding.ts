import type { PackedOperand } from "../../../backend/packed-operand.ts";
import type { Storage } from "../../../backend/kernels.ts";
import { elementCount, expectShape } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { dtypeCode, expectCount, storageOf } from "../checks.ts";
import { packingNumber } from "../lay-out.ts";

/** Kinds of zero points, by the numbers of `native/ops/decode_codes.h`. */
const zeroKinds = { none: 0, packed: 1, halves: 2 } as const;

/** `native/ops/packed_embedding.c`; packings that it does not know go to the reference kernel. */
export const packedEmbedding: Binding<"packedEmbedding"> =
  (queue, fallback) => (out, table, ids) => {
    const packed = argumentsOf(table);
    if (!packed) return fallback(out, table, ids);
    const tokens = elementCount(ids.shape);
    const count = tokens * table.inFeatures;
    expectCount("packedEmbedding: elements of out", elementCount(out.shape), count);
    queue.run(
      "packed_embedding",
      [
        storageOf("packedEmbedding out", out, "f32"),
        table.scales,
        storageOf("packedEmbedding ids", ids, "i32"),
        ...packed.buffers,
      ],
      [...packed.sizes, tokens],
      packed.reals,
    );
  };

/** `native/ops/decode_packed.c`; packings that it does not know go to the reference kernel. */
export const decodePacked: Binding<"decodePacked"> =
  (queue, fallback) => (out, operand, scales) => {
    const packed = argumentsOf(operand);
    if (!packed) return fallback(out, operand, scales);
    expectShape("decodePacked out", out.shape, [operand.outFeatures, operand.inFeatures]);
    queue.run(
      "decode_packed",
      [
        storageOf("decodePacked out", out, "f32", "bf16"),
        storageOf("decodePacked scales", scales, "f32"),
        ...packed.buffers,
      ],
      [...packed.sizes, dtypeCode[out.dtype] ?? -1],
      packed.reals,
    );
  };

/** `native/ops/decode_packed_backward.c`; packings that it does not know go to the reference kernel. */
export const decodePackedBackward: Binding<"decodePackedBackward"> =
  (queue, fallback) => (dScales, dOut, operand) => {
    const packed = argumentsOf(operand);
    if (!packed) return fallback(dScales, dOut, operand);
    expectShape("decodePackedBackward dOut", dOut.shape, [operand.outFeatures, operand.inFeatures]);
    queue.run(
      "decode_packed_backward",
      [
        storageOf("decodePackedBackward dScales", dScales, "f32"),
        storageOf("decodePackedBackward dOut", dOut, "f32"),
        ...packed.buffers,
      ],
      packed.sizes,
      packed.reals,
    );
  };

/** A packed weight as `read_packed_rows` takes it; null for a packing that C does not know. */
function argumentsOf(operand: PackedOperand): {
  readonly buffers: readonly (Storage | null)[];
  readonly sizes: readonly number[];
  readonly reals: readonly number[];
} | null {
  const { outFeatures, inFeatures, groupSize, rowBytes, layout, origin, step } = operand;
  const packing = packingNumber(layout);
  if (packing === null) return null;
  const zeroKind = kindOfZeros(operand);
  return {
    buffers: [operand.codes, operand.zeroPoints],
    sizes: [outFeatures, inFeatures, groupSize, rowBytes, packing, zeroKind],
    reals: [origin, step],
  };
}

function kindOfZeros({ zeroPoints }: PackedOperand): number {
  if (!zeroPoints) return zeroKinds.none;
  return zeroPoints instanceof Uint16Array ? zeroKinds.halves : zeroKinds.packed;
}
