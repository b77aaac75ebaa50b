import type { TensorView } from "../../../backend/kernels.ts";
import type { PackedOperand } from "../../../backend/packed-operand.ts";
import { floats, rowIndices } from "../arrays.ts";
import { rowDecoder } from "./packed-matmul.ts";

/** Decodes the rows `ids` of a packed table. */
export function packedEmbedding(out: TensorView, table: PackedOperand, ids: TensorView): void {
  const { outFeatures, inFeatures } = table;
  const target = floats(out);
  const rows = rowIndices(ids, outFeatures);
  const decode = rowDecoder(table);
  for (let t = 0; t < rows.length; t++) {
    decode(rows[t], target.subarray(t * inFeatures, (t + 1) * inFeatures));
  }
}
