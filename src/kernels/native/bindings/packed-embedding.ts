import type { PackedOperand } from "../../../backend/packed-operand.ts";
import { elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";
import { packingNumber } from "../lay-out.ts";

/** Kinds of zero points, by the numbers of `native/ops/packed_embedding.c`. */
const zeroKinds = { none: 0, packed: 1, halves: 2 } as const;

/** `native/ops/packed_embedding.c`; packings that it does not know go to the reference kernel. */
export const packedEmbedding: Binding<"packedEmbedding"> =
  (queue, fallback) => (out, table, ids) => {
    const packing = packingNumber(table.layout);
    if (packing === null) return fallback(out, table, ids);
    const { outFeatures, inFeatures, groupSize, rowBytes, layout, origin, step } = table;
    const tokens = elementCount(ids.shape);
    expectCount("packedEmbedding: elements of out", elementCount(out.shape), tokens * inFeatures);
    queue.run(
      "packed_embedding",
      [
        storageOf("packedEmbedding out", out, "f32"),
        table.codes,
        table.scales,
        table.zeroPoints,
        table.table,
        storageOf("packedEmbedding ids", ids, "i32"),
      ],
      [
        tokens,
        inFeatures,
        outFeatures,
        groupSize,
        rowBytes,
        packing,
        kindOfZeros(table),
        layout.levels,
      ],
      [origin, step],
    );
  };

function kindOfZeros({ zeroPoints }: PackedOperand): number {
  if (!zeroPoints) return zeroKinds.none;
  return zeroPoints instanceof Uint16Array ? zeroKinds.halves : zeroKinds.packed;
}
