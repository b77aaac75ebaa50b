import type { Scheme } from "../../quant/scheme.ts";

/**
 * How far parameters may go, in steps of the grid: in one step of the training at most, for AdamW
 * moves them by about the rate whatever the gradient, and in all steps together.
 */
export interface Reach {
  readonly inOneStep: number;
  readonly inAll: number;
  /** Power of a quarter of the levels that both are divided by: fine grids have less to gain. */
  readonly byLevels: number;
}

/** A weight on a grid: its scheme, and the scales of its groups. */
export interface ScaledWeight {
  readonly scheme: Scheme;
  readonly scales: Float32Array;
}

/** Learning rate for a training of so many steps, on the grids of some weights. */
export function rateOnGrids(
  { inOneStep, inAll, byLevels }: Reach,
  steps: number,
  weights: readonly ScaledWeight[],
): number {
  const levels = Math.max(4, ...weights.map(({ scheme }) => scheme.grid.levels));
  return meanStep(weights) * (Math.min(inOneStep, inAll / steps) / (levels / 4) ** byLevels);
}

/** Mean distance of neighbouring values of the grids, over all groups. */
function meanStep(weights: readonly ScaledWeight[]): number {
  let sum = 0;
  let groups = 0;
  for (const { scheme, scales } of weights) {
    for (const scale of scales) sum += scheme.grid.step * Math.abs(scale);
    groups += scales.length;
  }
  return groups === 0 ? 0 : sum / groups;
}
