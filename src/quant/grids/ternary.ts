import type { Grid } from "../grid.ts";

/** Three levels {−1, 0, +1}·s; by default s is mean|w| of the group (BitNet b1.58's absmean rule). */
export const ternary: Grid = Object.freeze<Grid>({
  id: "ternary",
  bits: 1.58,
  levels: 3,
  dim: 1,
  origin: -1,
  step: 1,
  zeroPoint: "none",
  packing: "trits5",
  scaleRule: "mean",
});
