import { halfBitsToFloat } from "../../../../util/half.ts";
import { fitAffine, type RangeTrials } from "./affine-search.ts";
import { importantTrials } from "./plain-blocks.ts";
import { fitPositive } from "./positive-search.ts";
import {
  type BlockParameters,
  type BlockSearch,
  groupOf,
  importantWeights,
  type SearchedBlock,
  toHalf,
} from "./searched-block.ts";
import { clip, nearest, sumOf, sumOfSquares } from "./single-rounding.ts";

const { fround } = Math;

/** How a format with groups of codes, scales and subtracted offsets is searched for. */
export interface AffineSuperblock {
  readonly groupColumns: number;
  /** Largest code, and largest sub-scale and sub-offset. */
  readonly top: number;
  readonly subTop: number;
  /** Without importance: weights of the errors of a group, and the ranges that are tried. */
  readonly plainWeights: (x: Float32Array) => Float32Array;
  readonly plainTrials: RangeTrials;
  /** With importance: what √(energy + x²) has for energy, in mean squares of the block. */
  readonly energyFactor: number;
}

/** Magnitudes of values (Q2_K). */
export const magnitudes = (x: Float32Array): Float32Array => x.map(Math.abs);

/** Magnitudes of values plus their root mean square (Q4_K, Q5_K). */
export function raisedMagnitudes(x: Float32Array): Float32Array {
  const rms = fround(Math.sqrt(fround(sumOfSquares(x) / x.length)));
  return x.map((value) => fround(rms + Math.abs(value)));
}

/** Superblocks whose groups have an offset: Q2_K, Q4_K, Q5_K. */
export function affineSuperblock(rule: AffineSuperblock): BlockSearch {
  return (block) => {
    const { weights, importance, subScales, subOffsets } = block;
    const groups = weights.length / rule.groupColumns;
    const scales = new Float32Array(groups);
    const offsets = new Float32Array(groups);
    const totals = new Float32Array(groups);
    const trials = importance ? importantTrials : rule.plainTrials;
    const errors = errorWeights(block, rule);
    for (let group = 0; group < groups; group++) {
      const x = groupOf(weights, group, rule.groupColumns);
      const ofGroup = groupOf(errors, group, rule.groupColumns);
      totals[group] = sumOf(ofGroup);
      const codes = groupOf(block.codes, group, rule.groupColumns);
      const fit = fitAffine(x, ofGroup, rule.top, trials, codes);
      scales[group] = fit.scale;
      offsets[group] = -fit.min;
    }
    const fitLevels = (values: Float32Array, levels: Uint8Array | Int8Array): number =>
      importance
        ? fitPositive(values, totals, rule.subTop, levels)
        : spread(values, rule.subTop, levels);
    const scale = toHalf(fitLevels(scales, subScales));
    const offset = toHalf(fitLevels(offsets, subOffsets));
    encodeAgain(block, { scale, offset }, rule);
    return { scale, offset };
  };
}

function errorWeights(
  { weights, importance }: SearchedBlock,
  { groupColumns, plainWeights, energyFactor }: AffineSuperblock,
): Float32Array {
  if (importance) {
    const energy = fround(fround(energyFactor * sumOfSquares(weights)) / weights.length);
    return importantWeights(weights, importance, energy);
  }
  const errors = new Float32Array(weights.length);
  for (let from = 0; from < weights.length; from += groupColumns) {
    errors.set(plainWeights(weights.subarray(from, from + groupColumns)), from);
  }
  return errors;
}

/** Sets the largest of `values` to level `top`. Returns the unit. */
function spread(values: Float32Array, top: number, levels: Uint8Array | Int8Array): number {
  const peak = values.reduce((a, b) => Math.max(a, b), 0);
  const inverse = peak > 0 ? fround(top / peak) : 0;
  for (let i = 0; i < values.length; i++) {
    levels[i] = clip(nearest(fround(inverse * values[i])), 0, top);
  }
  return peak > 0 ? fround(peak / top) : 0;
}

/** Chooses the codes by the scales and offsets that are stored, where a group's scale is not 0. */
function encodeAgain(
  { weights, codes, subScales, subOffsets }: SearchedBlock,
  { scale, offset }: BlockParameters,
  { groupColumns, top }: AffineSuperblock,
): void {
  const [unit, offsetUnit] = [halfBitsToFloat(scale), halfBitsToFloat(offset)];
  for (let i = 0; i < weights.length; i++) {
    const group = Math.floor(i / groupColumns);
    const groupScale = fround(unit * subScales[group]);
    if (groupScale === 0) continue;
    const raised = fround(weights[i] + fround(offsetUnit * subOffsets[group]));
    codes[i] = clip(nearest(fround(raised / groupScale)), 0, top);
  }
}
