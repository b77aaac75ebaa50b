import type { Tensor } from "../tensor/tensor.ts";

/**
 * Keys and values of one block so far: `[batch, capacity, kvHeads, headDim]`, of one dtype, or with
 * two values of four bits in each u8.
 */
export interface KvCacheLayer {
  readonly keys: Tensor;
  readonly values: Tensor;
  /**
   * Scales of integer keys and values, `[batch, capacity, kvHeads]` f32, or factors
   * `[batch, capacity, kvHeads, 2]` i32; null for float ones.
   */
  readonly scales: { readonly keys: Tensor; readonly values: Tensor } | null;
  /** Those of the next run of the same block, where it runs several times in a row. */
  readonly nextRun?: KvCacheLayer;
}
