import type { Grid, GridTraining } from "../grid.ts";

/** Integer bit-widths. */
export type IntBits = 2 | 3 | 4 | 8;

/**
 * Learned step size (LSQ, arXiv 1902.08153, equations 1 to 3) for integers `low … high`: weights
 * outside the range have no gradient, and the scale's is the level there. It starts at max|w|/high,
 * as ParetoQ has it.
 */
function learnedStep(low: number, high: number): GridTraining {
  return {
    straightThrough: {
      rule: "round",
      low,
      high,
      resolution: 1,
      shift: 0,
      lowSlope: low,
      highSlope: high,
      passOutside: false,
    },
    scale: "learned",
    start: { of: "peak", factor: 1 / high },
    topLevel: high,
    leastScale: 1e-5,
  };
}

/** Learned scale and zero point of codes 0 … high (EfficientQAT's released quantizer). */
function learnedZeroPoint(high: number): GridTraining {
  return {
    straightThrough: {
      rule: "zero-point",
      low: 0,
      high,
      resolution: 1,
      shift: 0,
      lowSlope: 0,
      highSlope: high,
      passOutside: false,
    },
    scale: "learned",
    start: { of: "span", factor: 1 / high },
    topLevel: null,
    leastScale: 1e-4,
  };
}

/** Asymmetric integers: codes 0 … 2^bits − 1, an integer zero point a group, `s·(c − z)`. */
export function asymmetricInt(bits: IntBits): Grid {
  return Object.freeze<Grid>({
    id: "int",
    bits,
    levels: 2 ** bits,
    origin: 0,
    step: 1,
    zeroPoint: "integer",
    packing: `bits${bits}`,
    scaleRule: "range",
    training: learnedZeroPoint(2 ** bits - 1),
  });
}

/** Asymmetric integers, a float16 zero point a group, `s·(c − z)`: what HQQ and MLX store. */
export function floatZeroInt(bits: IntBits): Grid {
  return Object.freeze<Grid>({
    ...asymmetricInt(bits),
    id: "floatzero",
    zeroPoint: "float16",
    scaleRule: "span",
    training: null,
  });
}

/**
 * Symmetric 8-bit integers without −128, value `s·(c − 127)`, codes 0 … 254: the weights of
 * integer-only inference (Jacob et al., arXiv 1712.05877, section 3).
 */
export const narrowInt: Grid = Object.freeze<Grid>({
  id: "narrow",
  bits: 8,
  levels: 255,
  origin: -127,
  step: 1,
  zeroPoint: "none",
  packing: "bits8",
  scaleRule: "magnitude",
  training: learnedStep(-127, 127),
});

/** Symmetric integers: zero point fixed at 2^(bits−1), value `s·(c − 2^(bits−1))`. */
export function symmetricInt(bits: IntBits): Grid {
  return Object.freeze<Grid>({
    id: "sym",
    bits,
    levels: 2 ** bits,
    origin: -(2 ** (bits - 1)),
    step: 1,
    zeroPoint: "none",
    packing: `bits${bits}`,
    scaleRule: "magnitude",
    training: learnedStep(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
  });
}
