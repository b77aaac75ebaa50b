import type { Kernels } from "../../../backend/kernels.ts";
import { putFourBitCodes, storedLength } from "../../../tensor/four-bit-rows.ts";
import { roundHalfEven } from "../../../util/rounding.ts";
import { floats, integers } from "../arrays.ts";

/**
 * Writes rows into a cache of 8 or 4 bits with one scale a row of the last dimension; see
 * `Kernels.quantizeRows`.
 */
export const quantizeRows: Kernels["quantizeRows"] = (cache, scales, rows, position) => {
  const [, capacity = 0] = cache.shape;
  const [batch = 0, length = 0, heads = 0, d = 0] = rows.shape;
  const [steps, values] = [floats(scales), floats(rows)];
  const width = storedLength(cache.dtype, d);
  const top = cache.dtype === "u8" ? 7 : 127;
  for (let row = 0; row < batch * length * heads; row++) {
    const [token, head] = [Math.floor(row / heads), row % heads];
    const at =
      typeof position === "number"
        ? Math.floor(token / length) * capacity + position + (token % length)
        : integers(position)[token];
    const target = at * heads + head;
    const x = values.subarray(row * d, (row + 1) * d);
    // The scale is rounded to float32 before codes are chosen, so that kernels agree on every code.
    steps[target] = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / top;
    const scale = steps[target];
    const usable = scale > 0 && Number.isFinite(scale);
    const codes = Array.from(x, (value) => (usable ? codeOf(value, scale, top) : 0));
    if (cache.dtype === "u8") putFourBitCodes(cache.storage as Uint8Array, target * width, codes);
    else (cache.storage as Int8Array).set(codes, target * width);
  }
};

function codeOf(value: number, scale: number, top: number): number {
  return Math.max(-top, Math.min(top, roundHalfEven(Math.fround(value / scale))));
}
