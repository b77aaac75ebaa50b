import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";

/**
 * Rotary position embedding in Hugging Face order: element i and element i + headDim/2 of a head
 * form a pair that is rotated by the angle of its position. Source: RoFormer, arXiv 2104.09864, eq.
 * 34.
 */
export const rope: Kernels["rope"] = (out, x, cos, sin, start) => {
  const [batch = 0, length = 0, heads = 0, headDim = 0] = x.shape;
  const half = headDim / 2;
  const input = floats(x);
  const output = floats(out);
  const cosines = floats(cos);
  const sines = floats(sin);
  for (let row = 0; row < batch * length; row++) {
    const angle = (start + (row % length)) * half;
    for (let head = 0; head < heads; head++) {
      const at = (row * heads + head) * headDim;
      for (let i = 0; i < half; i++) {
        const a = input[at + i];
        const b = input[at + half + i];
        output[at + i] = a * cosines[angle + i] - b * sines[angle + i];
        output[at + half + i] = b * cosines[angle + i] + a * sines[angle + i];
      }
    }
  }
};

/** Gradient of `rope`: the rotation by the negative angle. */
export const ropeBackward: Kernels["ropeBackward"] = (dX, dOut, cos, sin, start) => {
  const negated = floats(sin).map((value) => -value);
  rope(dX, dOut, cos, { ...sin, storage: negated }, start);
};
