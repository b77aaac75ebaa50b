import type { RangeRule } from "../backend/training-kernels.ts";
import { roundShifted, scalesOfRanges, type ShiftedRounding } from "../tensor/rounding-ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { SchemeError } from "../util/errors.ts";
import { floatsToHalves, halvesToFloats } from "../util/half.ts";
import { roundHalfEven } from "../util/rounding.ts";
import { codesOfValues } from "./codes-of-values.ts";
import type { Grid } from "./grid.ts";
import { type LatentParameter, LatentWeight } from "./latent-weight.ts";
import { QTensor } from "./q-tensor.ts";
import { groupsPerRow, type Scheme } from "./scheme.ts";
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
   * @throws SchemeError when the grid is neither asymmetric integers nor full-range symmetric ones
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
    const ends = rangesOf(await weight.read(), columns, groupSize);
    const [low, high] = [upload(ends.low), upload(ends.high)];
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
   * @throws SchemeError when the grid is neither asymmetric integers nor full-range symmetric ones
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

  async freeze(): Promise<QTensor> {
    const { outFeatures, inFeatures, scheme } = this;
    const [weights, scales, zeros] = tidy(() => {
      const current = scalesOfRanges(this.rounding, this.how);
      return [this.weights(), current.scales, current.zeros];
    });
    const values = (await weights.read()) as Float32Array;
    const scaleValues = (await scales.read()) as Float32Array;
    const wholeZeros = Uint8Array.from((await zeros.read()) as Float32Array, roundHalfEven);
    for (const tensor of [weights, scales, zeros]) tensor.release();
    const stored = this.how.symmetric ? null : wholeZeros;
    return QTensor.pack(scheme, {
      outFeatures,
      inFeatures,
      codes: codesOfValues(values, scaleValues, stored, inFeatures, scheme),
      scales: floatsToHalves(scaleValues),
      ...(stored ? { zeros: stored } : {}),
    });
  }
}

/**
 * How ranges become scales on a grid: null where that is not known, as its values are not whole
 * steps from a zero point of each group, or from −levels/2 to levels/2 − 1.
 */
export function rangeRule({ step, levels, origin, zeroPoint }: Grid): RangeRule | null {
  if (step !== 1) return null;
  if (zeroPoint === "integer" && origin === 0) {
    return { symmetric: false, top: levels - 1, least: leastScale };
  }
  const half = levels / 2;
  if (zeroPoint !== "none" || origin !== -half) return null;
  return { symmetric: true, top: half, least: leastScale };
}

function expectRangeRule(scheme: Scheme): RangeRule {
  const how = rangeRule(scheme.grid);
  if (how) return how;
  throw new SchemeError(`roundings cannot be learned on the grid of ${scheme.id}`);
}

/** Least and largest weight of each group with zero among the weights, row after row. */
function rangesOf(
  weights: Float32Array,
  columns: number,
  groupSize: number,
): { low: Float32Array; high: Float32Array } {
  const perRow = Math.ceil(columns / groupSize);
  const low = new Float32Array((weights.length / columns) * perRow);
  const high = new Float32Array(low.length);
  for (let group = 0; group < low.length; group++) {
    const rowStart = Math.floor(group / perRow) * columns;
    const start = rowStart + (group % perRow) * groupSize;
    const end = Math.min(start + groupSize, rowStart + columns);
    let [least, most] = [0, 0];
    for (let i = start; i < end; i++) {
      if (weights[i] < least) least = weights[i];
      if (weights[i] > most) most = weights[i];
    }
    low[group] = least;
    high[group] = most;
  }
  return { low, high };
}
