import type { Tensor } from "../tensor/tensor.ts";
import type { QTensor } from "./q-tensor.ts";
import type { Scheme } from "./scheme.ts";

/** A tensor of a latent weight that training changes. */
export interface LatentParameter {
  /** What it is, and its name behind that of its module. */
  readonly role: string;
  readonly value: Tensor<"f32">;
  /** Whether there is one for each weight; else one for each group or block. */
  readonly isPerWeight?: boolean;
}

/**
 * A float weight `W [outFeatures, inFeatures]` that is seen as values of a scheme, with gradients to
 * it and to its learned scales. What `weights` gives is what `freeze` packs.
 */
export abstract class LatentWeight {
  readonly scheme: Scheme;
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Float weight, `[outFeatures, inFeatures]`. */
  readonly weight: Tensor<"f32">;

  protected constructor(weight: Tensor<"f32">, scheme: Scheme) {
    const [outFeatures = 0, inFeatures = 0] = weight.shape;
    this.weight = weight;
    this.scheme = scheme;
    this.outFeatures = outFeatures;
    this.inFeatures = inFeatures;
  }

  /** What training changes besides the weight. */
  abstract get learned(): readonly LatentParameter[];

  /** Learned scales of groups, whatever their sign; null where they follow the weights. */
  abstract get groupScales(): Tensor<"f32"> | null;

  /** The weight as values of the grid, `[out, in]` f32, or bf16 in a bf16 recording. */
  abstract weights(): Tensor<"f32" | "bf16">;

  /** Packs the values that `weights` gives. @throws NumericError when one is NaN or infinite */
  abstract freeze(): Promise<QTensor>;

  /** What training changes. */
  get parameters(): readonly LatentParameter[] {
    return [{ role: "weight", value: this.weight, isPerWeight: true }, ...this.learned];
  }

  /** Gives the memory of what is learned besides the weight back. */
  releaseLearned(): void {
    for (const { value } of this.learned) value.release();
  }

  /** Gives the memory back. */
  release(): void {
    this.weight.release();
    this.releaseLearned();
  }
}
