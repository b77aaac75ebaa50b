import type { Kernels } from "../../../backend/kernels.ts";
import type { FactoredRanges, RangeRule } from "../../../backend/training-kernels.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";
import { floats } from "../arrays.ts";

const largestScale = 65504;

/** Scales and zero points of the ranges that are kept; see `RangeRule`. */
export const rangeScales: Kernels["rangeScales"] = (scales, zeros, ranges, how) => {
  const [toScales, toZeros] = [floats(scales), floats(zeros)];
  for (let i = 0; i < toScales.length; i++) {
    const { low, scale } = keptRange(ranges, i, how);
    toScales[i] = scale;
    toZeros[i] = how.kind === "asymmetric" ? -low / scale : how.top;
  }
};

/** Gradients of `rangeScales` by the factors. */
export const rangeScalesBackward: Kernels["rangeScalesBackward"] = (
  dLowFactors,
  dHighFactors,
  dScales,
  dZeros,
  ranges,
  how,
) => {
  const [toLow, toHigh] = [floats(dLowFactors), floats(dHighFactors)];
  const [byScale, byZero] = [floats(dScales), floats(dZeros)];
  for (let i = 0; i < toLow.length; i++) {
    const kept = keptRange(ranges, i, how);
    const [dLow, dHigh] =
      how.kind === "asymmetric"
        ? throughSpan(kept, byScale[i], byZero[i], how.top)
        : throughExtent(kept, byScale[i], how.top);
    toLow[i] = floats(ranges.low)[i] * dLow;
    toHigh[i] = floats(ranges.high)[i] * dHigh;
  }
};

/** What is kept of the range of a group. */
interface KeptRange {
  readonly low: number;
  readonly high: number;
  /** As it is stored, with its sign. */
  readonly scale: number;
  /** Whether the scale follows the range, and was not clipped. */
  readonly moves: boolean;
}

function keptRange(
  { low, high, lowFactors, highFactors }: FactoredRanges,
  i: number,
  { kind, top, least }: RangeRule,
): KeptRange {
  const kept = {
    low: Math.fround(floats(low)[i] * floats(lowFactors)[i]),
    high: Math.fround(floats(high)[i] * floats(highFactors)[i]),
  };
  const extent =
    kind === "asymmetric" ? Math.fround(kept.high - kept.low) : Math.max(kept.high, -kept.low);
  const wide = Math.fround(extent / top);
  const clipped = Math.min(Math.max(wide, Math.fround(least)), largestScale);
  const scale = halfBitsToFloat(floatToHalfBits(clipped));
  const isNegative = kind === "symmetric" && kept.high >= -kept.low;
  return { ...kept, scale: isNegative ? -scale : scale, moves: clipped === wide };
}

/** Gradients by the ends of a range whose scale follows the longer side: only that has one. */
function throughExtent(
  { low, high, scale, moves }: KeptRange,
  dScale: number,
  top: number,
): [dLow: number, dHigh: number] {
  const byExtent = moves ? (Math.sign(scale) * dScale) / top : 0;
  const share = high === -low ? 0.5 : 1;
  return [-low >= high ? -byExtent * share : 0, high >= -low ? byExtent * share : 0];
}

/** Gradients by the ends of an asymmetric range, which the scale and the zero point follow. */
function throughSpan(
  { low, scale, moves }: KeptRange,
  dScale: number,
  dZero: number,
  top: number,
): [dLow: number, dHigh: number] {
  const dHigh = moves ? (dScale + (dZero * low) / scale ** 2) / top : 0;
  return [-dHigh - dZero / scale, dHigh];
}
