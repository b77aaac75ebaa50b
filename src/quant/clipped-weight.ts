import type { RangeRule } from "../backend/training-kernels.ts";
import {
  type KeptShares,
  rangesOfGroups,
  roundClipped,
  scalesOfRanges,
  sigmoid,
} from "../tensor/rounding-ops.ts";
import { copyInto } from "../tensor/ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { type LatentParameter, LatentWeight } from "./latent-weight.ts";
import type { QTensor } from "./q-tensor.ts";
import { groupsPerRow, type Scheme } from "./scheme.ts";
import { expectRangeRule, packInRanges } from "./shifted-weight.ts";

/** A bound with which all of a range is kept: its sigmoid is 1 in float32. */
const whole = 32;

/**
 * A fixed weight that is rounded to nearest within ranges of which a learned part is kept (learnable
 * weight clipping of OmniQuant, arXiv 2308.13137, equation 2): of the range `[min w, max w]` of a
 * group, zero within, the shares σ(β) and σ(γ) of its sides, that scale and zero point follow
 * (`RangeRule`). Scales are rounded to float16 on the way, so that what is trained is what `freeze`
 * packs. What is rounded may be the weight as it is scaled now, with gradients to what scales it.
 */
export class ClippedWeight extends LatentWeight {
  /** β and γ, `[outFeatures, groups]` each. */
  private readonly low: Tensor<"f32">;
  private readonly high: Tensor<"f32">;
  private readonly how: RangeRule;
  private readonly isLearned: boolean;
  private readonly scaled: (weight: Tensor<"f32">) => Tensor<"f32">;

  /**
   * Begins with rounding a weight `[outFeatures, inFeatures]`, which it takes over, to nearest within
   * whole ranges.
   * @param learned whether the bounds are; else ranges stay whole
   * @param scaled what becomes of the weight before it is rounded, recorded
   * @throws SchemeError when the grid has no `rangeRule`
   */
  constructor(
    weight: Tensor<"f32">,
    scheme: Scheme,
    {
      learned = true,
      scaled = (of) => of,
    }: { learned?: boolean; scaled?: (weight: Tensor<"f32">) => Tensor<"f32"> } = {},
  ) {
    super(weight, scheme);
    this.how = expectRangeRule(scheme);
    this.isLearned = learned;
    this.scaled = scaled;
    [this.low, this.high] = [this.bounds(whole), this.bounds(whole)];
  }

  get groupScales(): null {
    return null;
  }

  get learned(): readonly LatentParameter[] {
    if (!this.isLearned) return [];
    return [
      { role: "low", value: this.low },
      { role: "high", value: this.high },
    ];
  }

  override get parameters(): readonly LatentParameter[] {
    return this.learned;
  }

  /** Sets all bounds that are learned: σ(`bound`) of every range is kept. */
  clip(bound: number): void {
    for (const { value } of this.learned) copyInto(value, this.bounds(bound));
  }

  override releaseLearned(): void {
    this.low.release();
    this.high.release();
  }

  weights(): Tensor<"f32" | "bf16"> {
    return roundClipped(this.scaled(this.weight), this.shares(), this.how);
  }

  freeze(): Promise<QTensor> {
    const parts = tidy(() => {
      const weight = this.scaled(this.weight);
      const shares = this.shares();
      const ranges = { ...rangesOfGroups(weight, shares.groupSize), ...shares };
      const { scales, zeros } = scalesOfRanges(ranges, this.how);
      return [roundClipped(weight, shares, this.how), scales, zeros];
    });
    return packInRanges(this, parts as Tensor<"f32">[], this.how);
  }

  private shares(): KeptShares {
    const { low, high, scheme, inFeatures } = this;
    const groupSize = scheme.groupSize ?? inFeatures;
    return { lowFactors: sigmoid(low), highFactors: sigmoid(high), groupSize };
  }

  private bounds(value: number): Tensor<"f32"> {
    const { weight, scheme, outFeatures, inFeatures } = this;
    const groups = groupsPerRow(scheme, inFeatures);
    const values = new Float32Array(outFeatures * groups).fill(value);
    return Tensor.from(weight.backend, "f32", [outFeatures, groups], values);
  }
}
