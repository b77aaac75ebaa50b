import { type PlanarGrid, roundWithin } from "../grid.ts";

/**
 * Three levels {−1, 0, +1}·s; by default s is mean|w| of the group. Trained as BitNet b1.58 is
 * (arXiv 2402.17764): the scale follows the weights in every step, and gradients pass as if nothing
 * were rounded.
 */
export const ternary: PlanarGrid = Object.freeze<PlanarGrid>({
  id: "ternary",
  bits: 1.58,
  levels: 3,
  origin: -1,
  step: 1,
  zeroPoint: "none",
  packing: "trits5",
  scaleRule: "mean",
  training: {
    straightThrough: { ...roundWithin(-1, 1), passOutside: true },
    scale: "followed",
    start: { of: "mean", factor: 1 },
    topLevel: null,
    leastScale: 1e-5,
  },
});
