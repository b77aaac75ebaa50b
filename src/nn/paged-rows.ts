import type { AttentionOptions } from "../backend/kernels.ts";
import { writeLayer } from "./kv-cache.ts";
import { pagedAttention } from "../tensor/paged-ops.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { KvCacheLayer } from "./kv-cache-layer.ts";

/**
 * Rows of one batch entry, `[1, rows, …]`, that continue several texts, one text after the other.
 * Their keys and values lie in blocks of one cache; what a row gives depends on its text alone.
 */
export interface PagedRows {
  /** Position of each row in its text, `[rows]`. */
  readonly positions: Tensor<"i32">;
  /** More than any of the positions. */
  readonly depth: number;
  /** Where keys and values of each row go in the cache, `[rows]`. */
  readonly slots: Tensor<"i32">;
  /** Rows of each text and the position of the first one, `[texts, 2]`. */
  readonly spans: Tensor<"i32">;
  /** Blocks of each text, `[texts, width]`. */
  readonly tables: Tensor<"i32">;
  readonly blockSize: number;
}

/**
 * Writes keys and values `[1, rows, kvHeads, headDim]` into a layer of a cache of one batch entry,
 * then attends to those of each row's text: q `[1, rows, heads, headDim]`.
 */
export function attendPaged(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  layer: KvCacheLayer,
  { slots, spans, tables, blockSize }: PagedRows,
  options: Omit<AttentionOptions, "keyLength">,
): Tensor<"f32"> {
  const { keys, values, scales } = layer;
  writeLayer(layer, k, v, slots);
  const flat = (x: Tensor): Tensor => x.reshape(x.shape.slice(1));
  const mixed = pagedAttention(flat(q), flat(keys), flat(values), {
    ...options,
    spans,
    tables,
    blockSize,
    ...(scales && { keyScales: flat(scales.keys), valueScales: flat(scales.values) }),
  });
  return mixed.reshape(q.shape);
}
