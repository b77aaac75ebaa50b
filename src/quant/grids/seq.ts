import { type PlanarGrid, type GridTraining, roundWithin } from "../grid.ts";

/** Where weights are clipped, in units of the scale: at 1 itself a level too many would appear. */
const clip = 0.99;

/**
 * Stretched elastic quantization (SEQ) of ParetoQ (arXiv 2502.02631, its released quantizer): the
 * range ±s is cut into `2·resolution` equal parts. `slope` is the gradient of the scale for clipped
 * weights.
 */
function stretched(resolution: number, shift: number, slope: number): GridTraining {
  return {
    straightThrough: {
      ...roundWithin(-clip, clip),
      resolution,
      shift,
      lowSlope: -slope,
      highSlope: slope,
    },
    scale: "learned",
    start: { of: "peak", factor: 1 },
    topLevel: 1,
    leastScale: 1e-5,
  };
}

/** Four balanced levels {−3/4, −1/4, +1/4, +3/4}·s without zero. */
export const seq2: PlanarGrid = Object.freeze<PlanarGrid>({
  id: "seq",
  bits: 2,
  levels: 4,
  origin: -0.75,
  step: 0.5,
  zeroPoint: "none",
  packing: "bits2",
  scaleRule: "magnitude",
  training: stretched(2, 0.5, 0.75),
});

// A float32, as kernels hold it: their values are then the same to the bit.
const twoThirds = Math.fround(2 / 3);

/**
 * Three levels {−2/3, 0, +2/3}·s. The gradient of the scale for clipped weights is ±1, although the
 * outer level is 2/3: so the released quantizer has it. Scales are trained as multiples of 3, of
 * 11 bits: as {−1, 0, +1}·d with d = 2/3·s in float16, which other programs store, the weights are
 * the same to the bit.
 */
export const seqTernary: PlanarGrid = Object.freeze<PlanarGrid>({
  id: "seq",
  bits: 1.58,
  levels: 3,
  origin: -twoThirds,
  step: twoThirds,
  zeroPoint: "none",
  packing: "trits5",
  scaleRule: "magnitude",
  training: { ...stretched(1.5, 0, 1), thirds: true },
});
