import type { Kernels } from "../../../backend/kernels.ts";
import { floatToBfloatBits, floatToHalfBits } from "../../../util/half.ts";
import { reader, unsupportedDType } from "../arrays.ts";

/** Converts between f64, f32, f16 and bf16, rounding once to the nearest, ties to even. */
export const cast: Kernels["cast"] = (out, x) => {
  const read = reader(x);
  const target = out.storage as Float32Array | Float64Array | Uint16Array;
  const toBits = out.dtype === "f16" ? floatToHalfBits : floatToBfloatBits;
  switch (out.dtype) {
    case "f32":
    case "f64":
      for (let i = 0; i < target.length; i++) target[i] = read(i);
      break;
    case "f16":
    case "bf16":
      for (let i = 0; i < target.length; i++) target[i] = toBits(roundToOdd(read(i)));
      break;
    default:
      throw unsupportedDType(out.dtype);
  }
};

const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/**
 * Rounds to a float32 neighbour whose last bit is odd unless the value is exact. A second rounding
 * to fewer bits then gives what one rounding of the value would have given.
 */
function roundToOdd(value: number): number {
  single[0] = value;
  const rounded = single[0];
  if (rounded === value || value !== value || singleBits[0] & 1) return rounded;
  // The nearest float is even and not the value: the other neighbour is the odd one. An infinity
  // that came from overflow steps back to the largest float, which is odd.
  singleBits[0] += Math.abs(rounded) > Math.abs(value) ? -1 : 1;
  return single[0];
}
