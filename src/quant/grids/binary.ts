import type { Grid } from "../grid.ts";

/** Two levels {−1, +1}·s with sign(0) = +1; s = mean|w| is the least-squares scale (XNOR-Net). */
export const binary: Grid = Object.freeze<Grid>({
  id: "binary",
  bits: 1,
  levels: 2,
  dim: 1,
  origin: -1,
  step: 2,
  zeroPoint: "none",
  packing: "bits1",
  scaleRule: "mean",
});
