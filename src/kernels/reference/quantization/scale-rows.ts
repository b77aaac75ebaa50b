import type { Kernels } from "../../../backend/kernels.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { floats } from "../arrays.ts";

/** `out[t] = factors[t]·x[t]` for each row t. */
export const scaleRows: Kernels["scaleRows"] = (out, x, factors) => {
  const { rows, columns } = asMatrix(x.shape);
  const output = floats(out);
  const input = floats(x);
  const ofRows = floats(factors);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) output[i] = ofRows[row] * input[i];
  }
};
