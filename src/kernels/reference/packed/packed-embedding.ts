import type { Kernels } from "../../../backend/kernels.ts";
import { floats, rowIndices } from "../arrays.ts";
import { rowDecoder } from "./packed-matmul.ts";

/** Decodes the rows `ids` of a packed table. */
export const packedEmbedding: Kernels["packedEmbedding"] = (out, table, ids) => {
  const { outFeatures, inFeatures } = table;
  const target = floats(out);
  const rows = rowIndices(ids, outFeatures);
  const decode = rowDecoder(table);
  for (let t = 0; t < rows.length; t++) {
    decode(rows[t], target.subarray(t * inFeatures, (t + 1) * inFeatures));
  }
};
