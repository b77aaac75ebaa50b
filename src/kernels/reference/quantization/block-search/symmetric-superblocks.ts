import { halfBitsToFloat } from "../../../../util/half.ts";
import {
  type BlockSearch,
  groupOf,
  importantWeights,
  type SearchedBlock,
  squares,
  toHalf,
} from "./searched-block.ts";
import { clip, nearest, signedPeak, sumOf, sumOfSquares } from "./single-rounding.ts";
import { descendSymmetric, fitSymmetric, leastPeak } from "./symmetric-search.ts";

const { fround } = Math;
const groupColumns = 16;
/** Sub-scales of Q3_K are −32 to 31, of Q6_K −128 to 127. */
const [halfOfSix, halfOfEight] = [32, 128];
const [halfOfThreeBits, halfOfSixBits] = [4, 32];

/** Groups of levels −4 to 3, each with a sub-scale of 6 bits (Q3_K). */
export const threeBitSuperblock: BlockSearch = (block) => {
  const { weights, importance, subScales } = block;
  const errors = importance
    ? importantWeights(weights, importance, fround((2 * sumOfSquares(weights)) / weights.length))
    : squares(weights);
  const fit = importance ? fitSymmetric : descendSymmetric;
  const scales = fitGroups(block, errors, halfOfThreeBits, fit);
  let scale = 0;
  if (importance) {
    const totals = scales.map((_, group) => sumOf(groupOf(errors, group, groupColumns)));
    const levels = new Uint8Array(scales.length);
    scale = toHalf(fitSymmetric(scales, totals, halfOfSix, levels));
    levels.forEach((level, group) => {
      subScales[group] = level - halfOfSix;
    });
  } else {
    scale = toHalf(spread(scales, halfOfSix, subScales));
  }
  encodeAgain(block, scale, halfOfThreeBits);
  return { scale, offset: 0 };
};

/** Groups of levels −32 to 31, each with a sub-scale of 8 bits (Q6_K). */
export const sixBitSuperblock: BlockSearch = (block) => {
  const { weights, importance, codes, subScales } = block;
  const scales = fitGroups(block, importance ?? squares(weights), halfOfSixBits, fitSymmetric);
  if (Math.abs(signedPeak(scales)) < leastPeak) {
    codes.fill(0);
    subScales.fill(0);
    return { scale: 0, offset: 0 };
  }
  const scale = toHalf(spread(scales, halfOfEight, subScales));
  encodeAgain(block, scale, halfOfSixBits);
  return { scale, offset: 0 };
};

function fitGroups(
  { weights, codes }: SearchedBlock,
  errors: Float32Array,
  half: number,
  fit: typeof fitSymmetric,
): Float32Array {
  return Float32Array.from({ length: weights.length / groupColumns }, (_, group) =>
    fit(
      groupOf(weights, group, groupColumns),
      groupOf(errors, group, groupColumns),
      half,
      groupOf(codes, group, groupColumns),
    ),
  );
}

/** Sets the scale of largest magnitude to level −half. Returns the unit; all −half of zeros. */
function spread(scales: Float32Array, half: number, levels: Int8Array): number {
  const peak = signedPeak(scales);
  if (peak === 0) {
    levels.fill(-half);
    return 0;
  }
  const inverse = fround(-half / peak);
  for (let i = 0; i < scales.length; i++) {
    levels[i] = clip(nearest(fround(inverse * scales[i])), -half, half - 1);
  }
  return fround(1 / inverse);
}

/** Chooses the codes by the scales that are stored, where a group's scale is not 0. */
function encodeAgain(
  { weights, codes, subScales }: SearchedBlock,
  scale: number,
  half: number,
): void {
  const unit = halfBitsToFloat(scale);
  for (let i = 0; i < weights.length; i++) {
    const groupScale = fround(unit * subScales[Math.floor(i / groupColumns)]);
    if (groupScale === 0) continue;
    codes[i] = half + clip(nearest(fround(weights[i] / groupScale)), -half, half - 1);
  }
}
