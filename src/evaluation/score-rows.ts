import type { Products } from "../backend/packed-operand.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { mostLikely } from "../runtime/token-weights.ts";
import { crossEntropy, embedding } from "../tensor/ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";

const rowsPerChunk = 256;

/** Which rows are scored, and how. */
export interface ScoreRowsOptions {
  /** Indices of the rows; one may come several times. */
  readonly rows: Int32Array;
  /** The token that follows each of them. */
  readonly targets: Int32Array;
  readonly products: Products;
  /** Also find out where the target is the likeliest token. */
  readonly greedy: boolean;
}

/**
 * Scores predictions that final hidden states `[1, T, d]` make: the negative log-likelihood of each target in nats, and if asked
 * for 1 where it is the likeliest token (of equal ones the first). Logits are computed of these rows alone.
 */
export async function scoreRows(
  model: LanguageModel,
  hidden: Tensor<"f32">,
  { rows, targets, products, greedy }: ScoreRowsOptions,
): Promise<{ losses: Float32Array; likeliest: Uint8Array | null }> {
  const losses = new Float32Array(rows.length);
  const likeliest = greedy ? new Uint8Array(rows.length) : null;
  const { backend } = model;
  const [, length = 0, width = 0] = hidden.shape;
  const table = hidden.reshape([length, width]);
  const indices = (of: Int32Array, start: number, end: number) =>
    Tensor.from(backend, "i32", [end - start], of.slice(start, end));
  for (let start = 0; start < rows.length; start += rowsPerChunk) {
    const end = Math.min(rows.length, start + rowsPerChunk);
    const [loss, logits] = tidy(() => {
      const all = model.logits(embedding(table, indices(rows, start, end)), products);
      const loss = crossEntropy(all, indices(targets, start, end));
      return greedy ? [loss, all] : [loss];
    });
    losses.set(await loss.read(), start);
    loss.release();
    if (!logits || !likeliest) continue;
    likeliest.set(compareWithLikeliest(await logits.read(), targets.subarray(start, end)), start);
    logits.release();
  }
  return { losses, likeliest };
}

function compareWithLikeliest(logits: Float32Array, targets: Int32Array): Uint8Array {
  const width = logits.length / targets.length;
  return Uint8Array.from(targets, (target, row) =>
    Number(mostLikely(logits.subarray(row * width, (row + 1) * width)) === target),
  );
}
