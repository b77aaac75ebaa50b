import type { Kernels } from "../../../backend/kernels.ts";
import { saturate, shiftRight } from "../../../quant/fixed-point.ts";
import { integers } from "../arrays.ts";

const angleBits = 20;

/** Rotates pairs of channels that lie half a head apart, by tables in fixed point. */
export const integerRope: Kernels["integerRope"] = (out, x, cos, sin, position) => {
  const [batch = 0, length = 0, heads = 0, width = 0] = x.shape;
  const half = width / 2;
  const [source, target] = [integers(x), integers(out)];
  const [cosines, sines] = [integers(cos), integers(sin)];
  for (let row = 0; row < batch * length * heads; row++) {
    const angles = (position + (Math.floor(row / heads) % length)) * half;
    for (let i = 0; i < half; i++) {
      const [at, to] = [row * width + i, row * width + half + i];
      const [first, second] = [source[at], source[to]];
      const [c, s] = [cosines[angles + i], sines[angles + i]];
      target[at] = saturate(shiftRight(first * c - second * s, angleBits));
      target[to] = saturate(shiftRight(second * c + first * s, angleBits));
    }
  }
};
