import type { Grid } from "../grid.ts";

/** Integer bit-widths. */
export type IntBits = 2 | 3 | 4 | 8;

/** Asymmetric integers: codes 0 … 2^bits − 1 with an integer zero point a group, value `s·(c − z)`. */
export function asymmetricInt(bits: IntBits): Grid {
  return Object.freeze<Grid>({
    id: "int",
    bits,
    levels: 2 ** bits,
    dim: 1,
    origin: 0,
    step: 1,
    zeroPoint: "integer",
    packing: `bits${bits}`,
    scaleRule: "range",
  });
}

/** Asymmetric integers with a float16 zero point a group, value `s·(c − z)`: what HQQ and MLX store. */
export function floatZeroInt(bits: IntBits): Grid {
  return Object.freeze<Grid>({
    ...asymmetricInt(bits),
    id: "floatzero",
    zeroPoint: "float16",
    scaleRule: "span",
  });
}

/**
 * Symmetric 8-bit integers without −128, value `s·(c − 127)`, codes 0 … 254: the weights of integer-only
 * inference (Jacob et al., arXiv 1712.05877, section 3).
 */
export const narrowInt: Grid = Object.freeze<Grid>({
  id: "narrow",
  bits: 8,
  levels: 255,
  dim: 1,
  origin: -127,
  step: 1,
  zeroPoint: "none",
  packing: "bits8",
  scaleRule: "magnitude",
});

/** Symmetric integers: zero point fixed at 2^(bits−1), value `s·(c − 2^(bits−1))`. */
export function symmetricInt(bits: IntBits): Grid {
  return Object.freeze<Grid>({
    id: "sym",
    bits,
    levels: 2 ** bits,
    dim: 1,
    origin: -(2 ** (bits - 1)),
    step: 1,
    zeroPoint: "none",
    packing: `bits${bits}`,
    scaleRule: "magnitude",
  });
}
