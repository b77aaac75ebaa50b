import type { Kernels } from "../../../backend/kernels.ts";
import { floats, rowIndices, widen } from "../arrays.ts";

/** Copies the rows `ids` of `table [vocabulary, d]`, widened to float32. */
export const embedding: Kernels["embedding"] = (out, table, ids) => {
  const [vocabulary = 0, width = 0] = table.shape;
  const target = floats(out);
  const rows = rowIndices(ids, vocabulary);
  for (let t = 0; t < rows.length; t++) {
    const row = target.subarray(t * width, (t + 1) * width);
    row.set(widen(table, rows[t] * width, width, row));
  }
};

/** `dTable [vocabulary, d]`: row v is, or is increased by, the sum of the rows of `dOut` whose id is v. */
export const embeddingBackward: Kernels["embeddingBackward"] = (dTable, dOut, ids, adds) => {
  const [vocabulary = 0, width = 0] = dTable.shape;
  const upstream = floats(dOut);
  const sums = adds ? Float64Array.from(floats(dTable)) : new Float64Array(vocabulary * width);
  for (const [t, id] of rowIndices(ids, vocabulary).entries()) {
    for (let i = 0; i < width; i++) sums[id * width + i] += upstream[t * width + i];
  }
  floats(dTable).set(sums);
};
