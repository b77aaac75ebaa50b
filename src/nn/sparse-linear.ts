import type { Backend } from "../backend/backend.ts";
import { rowStarts, type SparseRows } from "../quant/sparse-rows.ts";
import { addSparseProducts } from "../tensor/products.ts";
import { Tensor } from "../tensor/tensor.ts";
import { halvesToFloats } from "../util/half.ts";
import type { LinearLike } from "./linear.ts";

/** A layer that adds products with a few weights in float32 to those of another layer. */
export function withSparseWeights(
  backend: Backend,
  layer: LinearLike,
  sparse: SparseRows,
): LinearLike {
  const starts = rowStarts(sparse);
  const count = sparse.values.length;
  const view = {
    starts: Tensor.from(backend, "i32", [starts.length], starts),
    columns: Tensor.from(backend, "i32", [count], Int32Array.from(sparse.columns)),
    values: Tensor.from(backend, "f32", [count], halvesToFloats(sparse.values)),
  };
  return {
    outFeatures: layer.outFeatures,
    inFeatures: layer.inFeatures,
    forward: (x, products) => {
      const out = layer.forward(x, products);
      addSparseProducts(out, x, view);
      return out;
    },
    release: () => {
      layer.release?.();
      for (const tensor of Object.values(view)) tensor.release();
    },
  };
}
