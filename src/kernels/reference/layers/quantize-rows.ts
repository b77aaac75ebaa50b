import type { Kernels } from "../../../backend/kernels.ts";
import { roundHalfEven } from "../../../util/rounding.ts";
import { floats } from "../arrays.ts";

/**
 * Writes rows into an int8 cache with one scale a row of the last dimension; see
 * `Kernels.quantizeRows`.
 */
export const quantizeRows: Kernels["quantizeRows"] = (cache, scales, rows, position) => {
  const [, capacity = 0, heads = 0, d = 0] = cache.shape;
  const [batch = 0, length = 0] = rows.shape;
  const [codes, steps, values] = [cache.storage as Int8Array, floats(scales), floats(rows)];
  for (let row = 0; row < batch * length * heads; row++) {
    const [token, head] = [Math.floor(row / heads), row % heads];
    const at = Math.floor(token / length) * capacity + position + (token % length);
    const target = (at * heads + head) * d;
    const x = values.subarray(row * d, (row + 1) * d);
    // The scale is rounded to float32 before codes are chosen, so that kernels agree on every code.
    steps[at * heads + head] = x.reduce((top, value) => Math.max(top, Math.abs(value)), 0) / 127;
    const scale = steps[at * heads + head];
    const usable = scale > 0 && Number.isFinite(scale);
    for (let i = 0; i < d; i++) codes[target + i] = usable ? codeOf(x[i], scale) : 0;
  }
};

function codeOf(value: number, scale: number): number {
  return Math.max(-127, Math.min(127, roundHalfEven(Math.fround(value / scale))));
}
