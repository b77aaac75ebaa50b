import { fitAffine, type RangeTrials } from "./affine-search.ts";
import {
  type BlockSearch,
  importantWeights,
  type SearchedBlock,
  toHalf,
} from "./searched-block.ts";
import { clip, signedPeak } from "./single-rounding.ts";
import { fitSymmetric } from "./symmetric-search.ts";

/*
 * Blocks with one scale. Without importance codes are chosen by the scale before it is rounded to
 * float16, as ggml does.
 */

const { fround } = Math;

/** Ranges that are tried when columns have an importance. */
export const importantTrials: RangeTrials = {
  first: fround(-0.9),
  step: fround(0.05),
  last: 36,
  absolute: false,
};

/** Levels −half to half − 1: the weight of largest magnitude is level −half (Q4_0, Q5_0). */
export function peakBlock(half: number): BlockSearch {
  return (block) => {
    const { weights, importance, rowEnergy, codes } = block;
    if (importance) {
      const errors = importantWeights(weights, importance, rowEnergy);
      return { scale: toHalf(fitSymmetric(weights, errors, half, codes)), offset: 0 };
    }
    const scale = fround(signedPeak(weights) / -half);
    const inverse = inverseOf(scale);
    for (let i = 0; i < weights.length; i++) {
      const shifted = fround(fround(weights[i] * inverse) + half + 0.5);
      codes[i] = clip(Math.trunc(shifted), 0, 2 * half - 1);
    }
    return { scale: toHalf(scale), offset: 0 };
  };
}

/** Codes 0 to `top` from the least to the largest weight (Q4_1, Q5_1). */
export function spanBlock(top: number): BlockSearch {
  return (block) => {
    const { weights, importance, rowEnergy, codes } = block;
    if (importance) {
      const errors = importantWeights(weights, importance, rowEnergy);
      const fit = fitAffine(weights, errors, top, importantTrials, codes);
      return { scale: toHalf(fit.scale), offset: toHalf(fit.min) };
    }
    const low = weights.reduce((a, b) => (b < a ? b : a));
    const high = weights.reduce((a, b) => (b > a ? b : a));
    const scale = fround(fround(high - low) / top);
    const inverse = inverseOf(scale);
    for (let i = 0; i < weights.length; i++) {
      const steps = fround(fround(weights[i] - low) * inverse);
      codes[i] = Math.min(top, Math.trunc(fround(steps + 0.5)));
    }
    return { scale: toHalf(scale), offset: toHalf(low) };
  };
}

/**
 * Levels −`below` to `above`; the largest magnitude is level `peak`. Halves are rounded away from
 * zero (Q8_0, TQ1_0, TQ2_0, Q2_0). Importance changes nothing.
 */
export function magnitudeBlock(peak: number, below: number, above: number): BlockSearch {
  return ({ weights, codes }) => {
    const scale = fround(Math.abs(signedPeak(weights)) / peak);
    const inverse = inverseOf(scale);
    for (let i = 0; i < weights.length; i++) {
      codes[i] = below + clip(roundHalfAway(fround(weights[i] * inverse)), -below, above);
    }
    return { scale: toHalf(scale), offset: 0 };
  };
}

/** The mean magnitude with the sign of each weight (Q1_0). Importance changes nothing. */
export function signBlock({ weights, codes }: SearchedBlock): ReturnType<BlockSearch> {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    sum = fround(sum + Math.abs(weights[i]));
    codes[i] = weights[i] >= 0 ? 1 : 0;
  }
  return { scale: toHalf(fround(sum / weights.length)), offset: 0 };
}

function inverseOf(scale: number): number {
  return scale === 0 ? 0 : fround(1 / scale);
}

function roundHalfAway(value: number): number {
  return value < 0 ? -Math.floor(0.5 - value) : Math.floor(value + 0.5);
}
