import type { Products } from "../../backend/packed-operand.ts";
import type { LinearLike } from "../../nn/linear.ts";
import { add, copyInto } from "../../tensor/ops.ts";
import { asMatrix } from "../../tensor/shape.ts";
import type { Tape } from "../../tensor/tape.ts";
import { keep, Tensor } from "../../tensor/tensor.ts";

/** What a layer got in one pass, and what the gradient by its outputs is asked with. */
export interface LayerPass {
  /** `[tokens, inFeatures]` f32. */
  readonly input: Tensor<"f32">;
  /** Zeros of the shape of the output, added to it: the gradient by them is that by the output. */
  readonly probe: Tensor<"f32"> | null;
}

/**
 * Stands in a slot in the place of a layer and computes what that does; keeps copies of its inputs,
 * and with a tape what asks for the gradients by its outputs. Who asks releases both.
 */
export class ProbedLinear implements LinearLike {
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly passes: LayerPass[] = [];
  private readonly layer: LinearLike;
  private readonly tape: Tape | null;

  constructor(layer: LinearLike, tape: Tape | null) {
    this.layer = layer;
    this.tape = tape;
    this.outFeatures = layer.outFeatures;
    this.inFeatures = layer.inFeatures;
  }

  forward(x: Tensor, products: Products = "exact"): Tensor<"f32"> {
    const { rows, columns } = asMatrix(x.shape);
    const input = keep(Tensor.empty(x.backend, "f32", [rows, columns]));
    copyInto(input, x.reshape([rows, columns]));
    const output = this.layer.forward(x, products);
    if (!this.tape) {
      this.passes.push({ input, probe: null });
      return output;
    }
    const probe = keep(Tensor.zeros(x.backend, "f32", output.shape));
    this.tape.watch(probe);
    this.passes.push({ input, probe });
    return add(output, probe);
  }
}
