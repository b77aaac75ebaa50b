import type { SignSlope } from "../backend/binary-kernels.ts";
import { signRows } from "../tensor/binary-ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { roundScales } from "../tensor/training-ops.ts";
import { NumericError, SchemeError } from "../util/errors.ts";
import { floatsToHalves } from "../util/half.ts";
import { meanScales } from "./fake-quantized.ts";
import { type LatentParameter, LatentWeight } from "./latent-weight.ts";
import { QTensor } from "./q-tensor.ts";
import type { Scheme } from "./scheme.ts";

/** The least scale of a row that is learned. */
const leastScale = 1e-5;

/** What the signs of a row are multiplied by. */
export const rowScaleRules = ["mean", "learned", "one"] as const;

/** How a weight is seen by its signs, and what gradients it has. */
export interface BinaryRule {
  /** `mean`: mean|W| of the row as it is; `learned`: a parameter that begins there; `one`: 1. */
  readonly rowScales: (typeof rowScaleRules)[number];
  /** Slope of `s·sign(W)` by W, for rows of so many weights. */
  readonly slope: (columns: number) => SignSlope;
}

/**
 * A float weight W that is seen as `s_r·sign(W)`, sign(0) = +1, s in float16: one scale a row.
 * Gradients by W take the slope that the rule says; those by learned scales are exact.
 */
export class BinaryWeight extends LatentWeight {
  private readonly slope: SignSlope;
  /** Learned scales `[outFeatures, 1]`. */
  readonly groupScales: Tensor<"f32"> | null;
  private readonly fixed: Tensor<"f32"> | null;

  private constructor(
    weight: Tensor<"f32">,
    scheme: Scheme,
    slope: SignSlope,
    scales: { learned: Tensor<"f32"> | null; fixed: Tensor<"f32"> | null },
  ) {
    super(weight, scheme);
    this.slope = slope;
    this.groupScales = scales.learned;
    this.fixed = scales.fixed;
  }

  /**
   * Begins with a weight `[outFeatures, inFeatures]`, which it takes over.
   * @throws SchemeError unless the scheme stores signs and one scale a row
   */
  static of(weight: Tensor<"f32">, scheme: Scheme, { rowScales, slope }: BinaryRule): BinaryWeight {
    const { grid, groupSize } = scheme;
    if (grid.levels !== 2 || grid.scaleRule !== "mean" || groupSize !== null) {
      throw new SchemeError(`${scheme.id} does not store signs with one scale a row`);
    }
    const [rows = 0, columns = 0] = weight.shape;
    const ones = (): Tensor<"f32"> =>
      Tensor.from(weight.backend, "f32", [rows, 1], new Float32Array(rows).fill(1));
    return new BinaryWeight(weight, scheme, slope(columns), {
      learned: rowScales === "learned" ? meanScales(weight, scheme) : null,
      fixed: rowScales === "one" ? ones() : null,
    });
  }

  get learned(): readonly LatentParameter[] {
    return this.groupScales ? [{ role: "scales", value: this.groupScales }] : [];
  }

  weights(): Tensor<"f32"> {
    return signRows(this.weight, this.currentScales(), this.slope);
  }

  async freeze(): Promise<QTensor> {
    const { weight, outFeatures, inFeatures, scheme } = this;
    const values = await weight.read();
    if (values.some(Number.isNaN)) {
      throw new NumericError("a weight to be stored by its sign is NaN", {
        hint: "training diverged: use a lower learning rate",
      });
    }
    const current = this.currentScales();
    const scales = await current.read();
    if (current !== this.fixed) current.release();
    return QTensor.pack(scheme, {
      outFeatures,
      inFeatures,
      codes: Uint8Array.from(values, (value) => Number(value >= 0)),
      scales: floatsToHalves(scales),
    });
  }

  override releaseLearned(): void {
    super.releaseLearned();
    this.fixed?.release();
  }

  /** Scales `[outFeatures, 1]` as they are stored. */
  private currentScales(): Tensor<"f32"> {
    const { groupScales, fixed, weight, scheme } = this;
    if (groupScales) return roundScales(groupScales, leastScale);
    return fixed ?? meanScales(weight, scheme);
  }
}
