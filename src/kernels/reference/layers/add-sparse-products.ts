import type { Kernels } from "../../../backend/kernels.ts";
import { floats, integers } from "../arrays.ts";

/** `out += x·Sᵀ`: each output gets the sum over the weights of its row, in the order of columns. */
export const addSparseProducts: Kernels["addSparseProducts"] = (out, x, sparse) => {
  const [tokens = 0, rows = 0] = out.shape;
  const width = x.shape[1] ?? 0;
  const [starts, columns] = [integers(sparse.starts), integers(sparse.columns)];
  const values = floats(sparse.values);
  const inputs = floats(x);
  for (let token = 0; token < tokens; token++) {
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let k = starts[row]; k < starts[row + 1]; k++) {
        sum = Math.fround(sum + Math.fround(values[k] * inputs[token * width + columns[k]]));
      }
      floats(out)[token * rows + row] += sum;
    }
  }
};
