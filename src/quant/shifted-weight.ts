import type { RangeRule, StraightThrough } from "../backend/training-kernels.ts";
import {
  rangesOfGroups,
  roundShifted,
  scalesOfRanges,
  type ShiftedRounding,
} from "../tensor/rounding-ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { SchemeError } from "../util/errors.ts";
import { floatsToHalves, halvesToFloats } from "../util/half.ts";
import { roundHalfEven } from "../util/rounding.ts";
import { codesOfValues } from "./codes-of-values.ts";
import { type Grid, roundWithin } from "./grid.ts";
import { type LatentParameter, LatentWeight } from "./latent-weight.ts";
import { QTensor } from "./q-tensor.ts";
import { groupsPerRow, hasEvenLevels, type Scheme } from "./scheme.ts";
import { searchRanges } from "./search-ranges.ts";

/** A scale counts as this where it is smaller, as in the package of SignRound's authors. */
const leastScale = 1e-5;

/**
 * A fixed weight whose rounding is learned (SignRound, arXiv 2309.05516, equations 2 and 3): a shift
 * V of each weight in steps of the grid, from 0 on, and for each group the shares β and α of its
 * range `[min w, max w]`, zero within, that scale and zero point follow: `RangeRule`. Scales are
 * rounded to float16 on the way, so that what is trained is what `freeze` packs.
 */
export class ShiftedWeight extends LatentWeight {
  private readonly rounding: ShiftedRounding;
  private readonly how: RangeRule;

  private constructor(
    weight: Tensor<"f32">,
    scheme: Scheme,
    rounding: ShiftedRounding,
    how: RangeRule,
  ) {
    super(weight, scheme);
    this.rounding = rounding;
    this.how = how;
  }

  /**
   * Begins with rounding a weight `[outFeatures, inFeatures]`, which it takes over, to nearest: within
   * whole ranges, or with `search` within those that `searchRanges` finds, for which columns have an
   * importance.
   * @throws SchemeError when the grid has no `rangeRule`
   */
  static async of(
    weight: Tensor<"f32">,
    scheme: Scheme,
    { search, importance }: { search: boolean; importance: Float32Array | null },
  ): Promise<ShiftedWeight> {
    const how = expectRangeRule(scheme);
    const [rows = 0, columns = 0] = weight.shape;
    const shape = [rows, groupsPerRow(scheme, columns)];
    const groupSize = scheme.groupSize ?? columns;
    const { backend } = weight;
    const upload = (values: Float32Array): Tensor<"f32"> =>
      Tensor.from(backend, "f32", shape, values);
    const { low, high } = rangesOfGroups(weight, groupSize);
    const ones = new Float32Array(low.size).fill(1);
    const kept = search
      ? await searchRanges({ weight, low, high, groupSize, importance, how })
      : { low: ones, high: ones.slice() };
    const shifts = Tensor.zeros(backend, "f32", weight.shape);
    const factors = { lowFactors: upload(kept.low), highFactors: upload(kept.high) };
    return new ShiftedWeight(weight, scheme, { shifts, low, high, ...factors, groupSize }, how);
  }

  /**
   * Begins with the scales and zero points of `start`, a packing of `weight`, which it takes over: the
   * weight must be where these round to its codes.
   * @throws SchemeError when the grid has no `rangeRule`
   */
  static startedBy(weight: Tensor<"f32">, start: QTensor): ShiftedWeight {
    const { scheme, inFeatures, outFeatures } = start;
    const how = expectRangeRule(scheme);
    const scales = halvesToFloats(start.parts.scales);
    const zeros = start.unpackZeros();
    const upload = (valueOf: (scale: number, i: number) => number): Tensor<"f32"> => {
      const shape = [outFeatures, groupsPerRow(scheme, inFeatures)];
      return Tensor.from(weight.backend, "f32", shape, scales.map(valueOf));
    };
    const { top } = how;
    const rounding = {
      shifts: Tensor.zeros(weight.backend, "f32", weight.shape),
      low: upload((s, i) => (zeros ? -s * zeros[i] : -Math.max(s, 0) * top)),
      high: upload((s, i) => (zeros ? s * (top - zeros[i]) : Math.max(-s, 0) * top)),
      lowFactors: upload(() => 1),
      highFactors: upload(() => 1),
      groupSize: scheme.groupSize ?? inFeatures,
    };
    return new ShiftedWeight(weight, scheme, rounding, how);
  }

  get groupScales(): null {
    return null;
  }

  get learned(): readonly LatentParameter[] {
    const { shifts, lowFactors, highFactors } = this.rounding;
    return [
      { role: "shifts", value: shifts, isPerWeight: true },
      { role: "low", value: lowFactors },
      { role: "high", value: highFactors },
    ];
  }

  override get parameters(): readonly LatentParameter[] {
    return this.learned;
  }

  override releaseLearned(): void {
    super.releaseLearned();
    this.rounding.low.release();
    this.rounding.high.release();
  }

  weights(): Tensor<"f32" | "bf16"> {
    return roundShifted(this.weight, this.rounding, this.how);
  }

  freeze(): Promise<QTensor> {
    const current = tidy(() => {
      const { scales, zeros } = scalesOfRanges(this.rounding, this.how);
      return [this.weights(), scales, zeros];
    });
    return packInRanges(this, current as Tensor<"f32">[], this.how);
  }
}

/**
 * Packs values `[out, in]` that lie on the grids of their groups' scales and zero points, `[out,
 * groups]` as `scalesOfRanges` gives them, and gives the three back.
 * @throws NumericError when one is NaN or infinite
 */
export async function packInRanges(
  { outFeatures, inFeatures, scheme }: Pick<LatentWeight, "outFeatures" | "inFeatures" | "scheme">,
  parts: readonly Tensor<"f32">[],
  { kind }: RangeRule,
): Promise<QTensor> {
  const [values, scales, zeros] = await Promise.all(parts.map((part) => part.read()));
  for (const part of parts) part.release();
  const stored = kind === "asymmetric" ? Uint8Array.from(zeros, roundHalfEven) : null;
  return QTensor.pack(scheme, {
    outFeatures,
    inFeatures,
    codes: codesOfValues(values, scales, stored, inFeatures, scheme),
    scales: floatsToHalves(scales),
    ...(stored ? { zeros: stored } : {}),
  });
}

/**
 * How ranges become scales on a grid: null where that is not known, as its values are neither whole
 * steps from a zero point of each group, nor from −levels/2 to levels/2 − 1, nor three or more that
 * lie evenly on both sides of zero, with scales that follow the largest magnitude.
 */
export function rangeRule(grid: Grid): RangeRule | null {
  const { step, levels, origin, zeroPoint } = grid;
  if (!hasEvenLevels({ grid })) return null;
  if (zeroPoint === "integer" && origin === 0 && step === 1) {
    const top = levels - 1;
    return { kind: "asymmetric", top, least: leastScale, rounding: roundFromZero(top) };
  }
  if (zeroPoint !== "none" || grid.scaleRule !== "magnitude" || levels < 3) return null;
  if (step === 1 && origin === -levels / 2) {
    const rounding = roundFromZero(levels - 1);
    return { kind: "symmetric", top: -origin, least: leastScale, rounding };
  }
  if (2 * origin !== -step * (levels - 1)) return null;
  const top = (step * levels) / 2;
  return { kind: "centred", top, least: leastScale, rounding: roundCentred(grid) };
}

/** Codes 0 … high around a zero point. */
function roundFromZero(high: number): StraightThrough {
  return { ...roundWithin(0, high), rule: "zero-point" };
}

/** To the nearest of evenly spaced values, whose range `±levels·step/2` is cut into equal parts. */
function roundCentred({ origin, step, levels }: Grid): StraightThrough {
  // At the end of the range itself, half to even would give a level too many.
  const end = 0.49 * step - origin;
  const halves = { resolution: 1 / step, shift: levels % 2 === 0 ? 0.5 : 0 };
  return { ...roundWithin(-end, end), ...halves, lowSlope: origin, highSlope: -origin };
}

/** The same. @throws SchemeError where it is not known */
export function expectRangeRule(scheme: Scheme): RangeRule {
  const how = rangeRule(scheme.grid);
  if (how) return how;
  throw new SchemeError(`roundings cannot be learned on the grid of ${scheme.id}`);
}
