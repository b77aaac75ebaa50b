import type { PlanarGrid } from "../grid.ts";
import { binary } from "./binary.ts";

/**
 * Signs with a scale for each row and each column, `Ŵ = sign(W) ⊙ (h·gᵀ)`: what
 * sign-value-independent decomposition (SVID) leaves of a matrix. Source: OneBit, arXiv 2402.11295,
 * section 3.2.
 */
export const svid: PlanarGrid = Object.freeze<PlanarGrid>({
  ...binary,
  id: "svid",
  inputScales: true,
  training: null,
});

/** Signs and scales of OneBit, whose products pass a LayerNorm (arXiv 2402.11295, equation 3). */
export const oneBit: PlanarGrid = Object.freeze<PlanarGrid>({
  ...svid,
  id: "onebit",
  normalizedOutputs: true,
});
