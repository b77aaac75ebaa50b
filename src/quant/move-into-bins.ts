import { halvesToFloats } from "../util/half.ts";
import { groupScales } from "./blocks/group-scales.ts";
import type { QTensor } from "./q-tensor.ts";

/** How near the border of its bin, in steps, a weight may stay: nearer is a matter of rounding. */
const leastMargin = 1e-3;

/**
 * Moves weights `[outFeatures, inFeatures]`, in place, to where they are rounded to the codes that
 * `start` has for them. Those that are there already stay; others come to stand `margin` steps
 * inside of the border of the bin that they are nearest to. The bins of the first and the last code
 * of the grid are open. What else a weight says stays.
 */
export function moveIntoBins(weights: Float32Array, start: QTensor, margin: number): void {
  const { scheme, inFeatures } = start;
  const last = scheme.grid.levels - 1;
  const width = scheme.groupSize ?? inFeatures;
  const perRow = Math.ceil(inFeatures / width);
  const codes = start.unpackCodes();
  const values = start.dequantize();
  const scales = scalesOf(start);
  for (let i = 0; i < weights.length; i++) {
    const row = Math.floor(i / inFeatures);
    const step = scheme.grid.step * scales[row * perRow + Math.floor((i % inFeatures) / width)];
    const isLowest = step < 0 ? codes[i] === last : codes[i] === 0;
    const isHighest = step < 0 ? codes[i] === 0 : codes[i] === last;
    const away = weights[i] - values[i];
    const isOpen = away < 0 ? isLowest : isHighest;
    const size = Math.abs(step);
    if (isOpen || Math.abs(away) <= (0.5 - leastMargin) * size) continue;
    weights[i] = values[i] + Math.sign(away) * (0.5 - margin) * size;
  }
}

/** Scales of groups, `[outFeatures, groups]`. */
function scalesOf(start: QTensor): Float32Array {
  const { blocks } = start.scheme;
  if (blocks) return groupScales(blocks, start.unpackBlockScales()).scales;
  return halvesToFloats(start.parts.scales);
}
