import { type PlanarGrid, roundWithin } from "../grid.ts";

/** Two levels {−1, +1}·s with sign(0) = +1; s = mean|w| is the least-squares scale (XNOR-Net). */
export const binary: PlanarGrid = Object.freeze<PlanarGrid>({
  id: "binary",
  bits: 1,
  levels: 2,
  origin: -1,
  step: 2,
  zeroPoint: "none",
  packing: "bits1",
  scaleRule: "mean",
  training: {
    // The sign of w as a rounding, whose gradient passes everywhere (BitNet, arXiv 2310.11453).
    straightThrough: { ...roundWithin(-1, 1), resolution: 0.5, shift: 0.5, passOutside: true },
    scale: "followed",
    start: { of: "mean", factor: 1 },
    topLevel: null,
    leastScale: 1e-5,
  },
});

/**
 * The levels of `binary` with a scale that is learned: elastic binarization as ParetoQ trains it
 * (arXiv 2502.02631, its released quantizer). Weights beyond ±s have no gradient. The authors' code
 * has sign(0) = 0; here it is +1 in training too, so that the packed model is the trained one.
 */
export const elasticBinary: PlanarGrid = Object.freeze<PlanarGrid>({
  ...binary,
  id: "elastic",
  training: {
    straightThrough: { ...roundWithin(-1, 1), rule: "sign" },
    scale: "learned",
    start: { of: "mean", factor: 1 },
    topLevel: 1,
    leastScale: 1e-5,
  },
});
