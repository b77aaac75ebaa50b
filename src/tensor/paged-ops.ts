import type { PagedAttentionOptions } from "../backend/kernels.ts";
import { ShapeError } from "../util/errors.ts";
import { storedLength } from "./four-bit-rows.ts";
import { expectShape } from "./shape.ts";
import { expectUntracked } from "./tape.ts";
import { emptyLike, type Tensor } from "./tensor.ts";

/** Attention of rows of several texts over a pool of blocks; see `Kernels.pagedAttention`. */
export function pagedAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: PagedAttentionOptions,
): Tensor<"f32"> {
  const [, heads = 0, headDim = 0] = q.shape;
  const [slots = 0, kvHeads = 1] = k.shape;
  expectShape("paged attention k", k.shape, [slots, kvHeads, storedLength(k.dtype, headDim)]);
  expectShape("paged attention v", v.shape, k.shape);
  const [texts = 0] = options.spans.shape;
  expectShape("paged attention spans", options.spans.shape, [texts, 2]);
  expectShape("paged attention tables", options.tables.shape.slice(0, 1), [texts]);
  if (heads % kvHeads !== 0) {
    throw new ShapeError(`paged attention: ${heads} heads over ${kvHeads} key heads`);
  }
  if (k.dtype === "i8" || k.dtype === "u8") {
    const { keyScales, valueScales } = options;
    expectShape("paged attention scales of k", keyScales?.shape ?? [], [slots, kvHeads]);
    expectShape("paged attention scales of v", valueScales?.shape ?? [], [slots, kvHeads]);
  }
  expectUntracked("attention to a cache", q, k, v);
  const out = emptyLike(q);
  q.backend.kernels.pagedAttention(out, q, k, v, options);
  return out;
}
