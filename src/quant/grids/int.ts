import { type PlanarGrid, type GridTraining, roundWithin } from "../grid.ts";

/** Integer bit-widths. */
export type IntBits = 2 | 3 | 4 | 8;

/**
 * Learned step size (LSQ, arXiv 1902.08153, equations 1 to 3) for integers `low … high`. It starts
 * at max|w|/high, as ParetoQ has it.
 */
function learnedStep(low: number, high: number): GridTraining {
  return {
    straightThrough: roundWithin(low, high),
    scale: "learned",
    start: { of: "peak", factor: 1 / high },
    topLevel: high,
    leastScale: 1e-5,
  };
}

/** Learned scale and zero point of codes 0 … high (EfficientQAT's released quantizer). */
function learnedZeroPoint(high: number): GridTraining {
  return {
    straightThrough: { ...roundWithin(0, high), rule: "zero-point" },
    scale: "learned",
    start: { of: "span", factor: 1 / high },
    topLevel: null,
    leastScale: 1e-4,
  };
}

/** Asymmetric integers: codes 0 … 2^bits − 1, an integer zero point a group, `s·(c − z)`. */
export function asymmetricInt(bits: IntBits): PlanarGrid {
  return Object.freeze<PlanarGrid>({
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
export function floatZeroInt(bits: IntBits): PlanarGrid {
  return Object.freeze<PlanarGrid>({
    ...asymmetricInt(bits),
    id: "floatzero",
    zeroPoint: "float16",
    scaleRule: "span",
    training: null,
  });
}

/** Symmetric integers: zero point fixed at 2^(bits−1), value `s·(c − 2^(bits−1))`. */
export function symmetricInt(bits: IntBits): PlanarGrid {
  const half = 2 ** (bits - 1);
  return Object.freeze<PlanarGrid>({
    ...asymmetricInt(bits),
    id: "sym",
    origin: -half,
    zeroPoint: "none",
    scaleRule: "magnitude",
    training: learnedStep(-half, half - 1),
  });
}

/**
 * Symmetric 8-bit integers without −128, value `s·(c − 127)`, codes 0 … 254: the weights of
 * integer-only inference (Jacob et al., arXiv 1712.05877, section 3).
 */
export const narrowInt: PlanarGrid = Object.freeze<PlanarGrid>({
  ...symmetricInt(8),
  id: "narrow",
  levels: 255,
  origin: -127,
  training: learnedStep(-127, 127),
});
