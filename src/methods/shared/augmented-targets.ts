import type { ActivationWindows } from "../../calibration/activation-windows.ts";
import { addInto, multiplyInto } from "../../tensor/ops.ts";
import { Tensor } from "../../tensor/tensor.ts";

/**
 * The mean of what the original block gives for its own inputs and for those of the quantized block:
 * `‖y − a‖² + ‖y − b‖² = 2·‖y − (a + b)/2‖² + ‖a − b‖²/2`, so that training towards it is training
 * towards both (the augmented loss of OmniQuant's authors).
 */
export class AugmentedTargets implements ActivationWindows {
  readonly windows: number;
  readonly length: number;
  private readonly inputs: ActivationWindows;
  private readonly targets: ActivationWindows;
  private readonly original: (input: Tensor<"f32">) => Tensor<"f32">;

  /** @param original what the original block gives, for the caller */
  constructor(
    {
      inputs,
      targets,
    }: { readonly inputs: ActivationWindows; readonly targets: ActivationWindows },
    original: (input: Tensor<"f32">) => Tensor<"f32">,
  ) {
    this.windows = targets.windows;
    this.length = targets.length;
    this.inputs = inputs;
    this.targets = targets;
    this.original = original;
  }

  async take(indices: readonly number[]): Promise<Tensor<"f32">> {
    const target = await this.targets.take(indices);
    const input = await this.inputs.take(indices);
    const other = this.original(input);
    addInto(target, other);
    const width = target.shape.at(-1) ?? 0;
    const half = Tensor.from(target.backend, "f32", [width], new Float32Array(width).fill(0.5));
    multiplyInto(target, half);
    for (const tensor of [input, other, half]) tensor.release();
    return target;
  }
}
