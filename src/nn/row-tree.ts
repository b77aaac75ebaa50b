import type { AttentionOptions } from "../backend/kernels.ts";
import { writeRows } from "../tensor/cache-ops.ts";
import { attentionInto } from "../tensor/ops.ts";
import { emptyLike, Tensor } from "../tensor/tensor.ts";

/** Rows that follow each other in one text, or in all texts that share them. */
export interface RowSpan {
  /** Index of the first row. */
  readonly start: number;
  readonly rows: number;
  /** Position of the first row in its text: the number of rows that come before it there. */
  readonly position: number;
}

/**
 * Texts as rows of one batch entry, `[1, rows, …]`: what several texts begin with is there once. A
 * span sees itself and the spans that it continues. Spans are in depth-first order: each one comes
 * behind the span that it continues, and those between the two continue that one, too.
 */
export interface RowTree {
  readonly spans: readonly RowSpan[];
  /** Position of each row in its text, `[rows]`. */
  readonly positions: Tensor<"i32">;
  /** Rows of the longest text. */
  readonly depth: number;
}

/**
 * Causal attention of the rows of a tree: q `[1, rows, heads, headDim]`, k and v
 * `[1, rows, kvHeads, headDim]`. The keys and values of the text at work lie in a cache; those of a
 * prefix stay there for every span that continues it.
 */
export function attendTree(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { spans, depth }: RowTree,
  options: Omit<AttentionOptions, "keyLength">,
): Tensor<"f32"> {
  const out = emptyLike(q);
  const [, , kvHeads = 0, headDim = 0] = k.shape;
  const cacheOf = () => Tensor.empty(q.backend, "f32", [1, depth, kvHeads, headDim]);
  const [keys, values] = [cacheOf(), cacheOf()];
  for (const { start, rows, position } of spans) {
    const part = <T extends Tensor>(x: T): T => rowsOf(x, start, rows) as T;
    writeRows(keys, part(k), position);
    writeRows(values, part(v), position);
    attentionInto(part(out), part(q), keys, values, { ...options, keyLength: position + rows });
  }
  return out;
}

/** Rows of the one batch entry of x, without a copy. */
function rowsOf(x: Tensor, start: number, rows: number): Tensor {
  const [, length = 0, ...rest] = x.shape;
  const part = x.reshape([length, ...rest]).slice(start, start + rows);
  return part.reshape([1, rows, ...rest]);
}
