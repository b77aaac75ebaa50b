import type { Backend } from "../backend/backend.ts";
import type { PackedOperand } from "../backend/packed-operand.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { embedding, packedEmbedding } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { plainOperand } from "./linear.ts";

/**
 * A table `[vocabulary, d]` whose rows are looked up, dense or packed. A packed one stays as it is
 * stored, and only the rows that are asked for are decoded.
 */
export class Embedding {
  readonly weight: Tensor | QTensor;
  private readonly rowsOf: (ids: Tensor<"i32">) => Tensor<"f32">;

  constructor(backend: Backend, weight: Tensor | QTensor) {
    this.weight = weight;
    if (weight instanceof QTensor) {
      const operand: PackedOperand = plainOperand(weight);
      this.rowsOf = (ids) => packedEmbedding(backend, operand, ids);
    } else this.rowsOf = (ids) => embedding(weight, ids);
  }

  /** Returns the rows at `ids` (any shape): `[...ids, d]` f32. */
  lookUp(ids: Tensor<"i32">): Tensor<"f32"> {
    return this.rowsOf(ids);
  }

  /** Gives the table back. */
  release(): void {
    if (this.weight instanceof Tensor) this.weight.release();
  }
}
