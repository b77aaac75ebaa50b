import type { Backend } from "../backend/backend.ts";
import type { ActivationParameters } from "../quant/activation-grid.ts";
import { roundWithin } from "../quant/grid.ts";
import { multiply } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { fakeQuantizeExactly } from "../tensor/training-ops.ts";

/** Codes of inputs are 0 … 255. */
const lastCode = 255;

/**
 * The scale of a layer's 8-bit inputs while it is learned (LSQ, arXiv 1902.08153, equations 1 to 3):
 * as a factor on the scale that it begins with, so that one learning rate suits all layers. The zero
 * point stays.
 */
export class LearnedInputStep {
  /** `[1, 1]` */
  readonly factor: Tensor<"f32">;
  private readonly begin: ActivationParameters;
  private readonly scale: Tensor<"f32">;
  private readonly zero: Tensor<"f32">;

  constructor(backend: Backend, begin: ActivationParameters) {
    const single = (value: number): Tensor<"f32"> =>
      Tensor.from(backend, "f32", [1, 1], Float32Array.of(value));
    this.begin = begin;
    this.factor = single(1);
    this.scale = single(begin.scale);
    this.zero = single(begin.zeroPoint);
  }

  /** Rounds inputs of any shape; gradients by them and by the factor. */
  round(x: Tensor): Tensor<"f32"> {
    const scales = multiply(this.factor, this.scale);
    const groups = { scales, zeros: this.zero, groupSize: x.size };
    const how = { ...roundWithin(0, lastCode), rule: "zero-point" } as const;
    const flat = x.reshape([1, x.size]) as Tensor<"f32">;
    return fakeQuantizeExactly(flat, groups, how).reshape(x.shape);
  }

  /** Scale and zero point as they are now. */
  async parameters(): Promise<ActivationParameters> {
    const [factor] = await this.factor.read();
    return { scale: Math.fround(factor * this.begin.scale), zeroPoint: this.begin.zeroPoint };
  }

  /** Gives the memory back. */
  release(): void {
    for (const tensor of [this.factor, this.scale, this.zero]) tensor.release();
  }
}
