import type { Kernels, RefitGroupsOptions } from "../../../backend/kernels.ts";
import { halfBitsToFloat } from "../../../util/half.ts";
import { roundHalfEven } from "../../../util/rounding.ts";
import { floats } from "../arrays.ts";

const { fround } = Math;

/** A group of a row, with scale and signed offset of its block. */
interface Group {
  readonly weights: Float32Array;
  readonly importance: Float32Array | null;
  readonly unit: number;
  readonly offsetUnit: number;
}

/** Factors of the scale and the offset of a block. */
interface Factors {
  readonly scale: number;
  readonly offset: number;
}

/** Tries every pair of factors within reach, in float32. */
export const refitGroups: Kernels["refitGroups"] = (scales, offsets, chosen, weight, options) => {
  const [rows = 0, n = 0] = weight.shape;
  const { start, end, format } = options;
  const { columns, groupColumns, subScaleRange } = format;
  const blockScales = chosen.scales.storage as Uint16Array;
  const blockOffsets = chosen.offsets.storage as Uint16Array;
  const subScales = chosen.subScales.storage as Int8Array;
  const subOffsets = chosen.subOffsets.storage as Uint8Array;
  const importance = options.importance ? floats(options.importance) : null;
  const sign = format.offset === "subtracted" ? -1 : 1;
  for (let row = 0; row < rows; row++) {
    for (let from = start; from < end; from += groupColumns) {
      const first = row * n + from;
      const [block, at] = [Math.floor(first / columns), first / groupColumns];
      const group: Group = {
        weights: floats(weight).subarray(first, first + groupColumns),
        importance: importance && importance.subarray(from, from + groupColumns),
        unit: halfBitsToFloat(blockScales[block]),
        offsetUnit: offsets ? sign * halfBitsToFloat(blockOffsets[block]) : 0,
      };
      let factors: Factors = { scale: 1, offset: 1 };
      if (subScaleRange) {
        const stored = { scale: subScales[at], offset: subOffsets[at] };
        factors = chooseFactors(group, stored, options, subScaleRange);
        subScales[at] = factors.scale;
        subOffsets[at] = factors.offset;
      }
      floats(scales)[at] = group.unit * factors.scale;
      if (offsets) floats(offsets)[at] = group.offsetUnit * factors.offset;
    }
  }
};

function chooseFactors(
  group: Group,
  stored: Factors,
  { format, reach }: RefitGroupsOptions,
  [low, high]: readonly [number, number],
): Factors {
  if (reach === 0) return stored;
  let best = stored;
  let least = groupError(group, stored, format);
  const most = format.largestSubOffset ?? 0;
  const offsetReach = format.offset === "none" ? 0 : reach;
  for (let a = -reach; a <= reach; a++) {
    const scale = Math.min(Math.max(stored.scale + a, low), high);
    for (let b = -offsetReach; b <= offsetReach; b++) {
      const offset = Math.min(Math.max(stored.offset + b, 0), most);
      const error = groupError(group, { scale, offset }, format);
      if (!(error < least)) continue;
      least = error;
      best = { scale, offset };
    }
  }
  return best;
}

/** `Σ importance · (ŵ − w)²` of a group, codes being the nearest. */
function groupError(
  { weights, importance, unit, offsetUnit }: Group,
  factors: Factors,
  { origin, step, levels }: RefitGroupsOptions["format"],
): number {
  const scale = unit * factors.scale;
  const offset = offsetUnit * factors.offset;
  const inverse = scale === 0 ? 0 : fround(1 / scale);
  let error = 0;
  for (let i = 0; i < weights.length; i++) {
    const ratio = fround(fround(weights[i] - offset) * inverse);
    const steps = fround(fround(ratio - origin) / step);
    const code = Math.min(Math.max(roundHalfEven(steps), 0), levels - 1);
    const value = fround(scale * (origin + step * code) + offset);
    const distance = fround(value - weights[i]);
    const weighted = fround(fround(distance * distance) * (importance ? importance[i] : 1));
    error = fround(error + weighted);
  }
  return error;
}
