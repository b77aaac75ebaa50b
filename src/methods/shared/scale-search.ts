import { flag, positive } from "./option-kinds.ts";
import type { ScaleSearch } from "./quantize-columns.ts";

/** Options of methods that can search for the scale with the least weight error. */
export const scaleSearchOptions = (searchByDefault: boolean) => ({
  mse: flag(searchByDefault, "search each group's clipping range for the least error"),
  mseNorm: positive(2.4, "exponent of that error"),
});

/** The search that the options ask for: ranges p = 1 − i/100 for i < 80, as GPTQ's authors do. */
export function scaleSearch(options: { mse: boolean; mseNorm: number }): ScaleSearch {
  return options.mse ? { candidates: 80, shrinkStep: 0.01, norm: options.mseNorm } : null;
}
