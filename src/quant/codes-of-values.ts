import { NumericError } from "../util/errors.ts";
import type { Scheme } from "./scheme.ts";

/**
 * Finds the codes of values `[rows, columns]` that lie on the grid of a scheme, with the scales and
 * zero points of their groups, `[rows, groups]`.
 * @throws NumericError when a value or its scale is NaN or infinite
 */
export function codesOfValues(
  values: Float32Array,
  scales: Float32Array,
  zeros: Uint8Array | null,
  columns: number,
  { grid, groupSize }: Scheme,
): Uint8Array {
  const width = groupSize ?? columns;
  const groups = Math.ceil(columns / width);
  const codes = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / columns);
    const group = row * groups + Math.floor((i - row * columns) / width);
    const steps = (values[i] / scales[group] - grid.origin) / grid.step;
    const code = Math.round(steps + (zeros ? zeros[group] : 0));
    if (!(code >= 0 && code < grid.levels)) {
      throw new NumericError("a trained weight or its scale is NaN or infinite", {
        hint: "training diverged: use a lower learning rate",
      });
    }
    codes[i] = code;
  }
  return codes;
}
