import type { Products } from "../backend/packed-operand.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { mostLikely } from "../runtime/token-weights.ts";
import { crossEntropy } from "../tensor/ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";

const rowsPerChunk = 256;

/** How rows are scored. */
export interface ScoreRowsOptions {
  /** The token that follows each row. */
  readonly targets: Int32Array;
  readonly products: Products;
  /** Also find out where the target is the likeliest token. */
  readonly greedy: boolean;
}

/** Scores of rows. */
export interface RowScores {
  /** Negative log-likelihoods of the targets, in nats. */
  readonly losses: Float32Array;
  /** 1 where the target is the likeliest token; null when not asked for. */
  readonly likeliest: Uint8Array | null;
}

/**
 * Scores the predictions that final hidden states `[T, d]` make: the negative log-likelihood of
 * each target in nats, and if asked for 1 where it is the likeliest token (of equal ones the
 * first).
 */
export async function scoreRows(
  model: LanguageModel,
  hidden: Tensor,
  { targets, products, greedy }: ScoreRowsOptions,
): Promise<RowScores> {
  const losses = new Float32Array(targets.length);
  const likeliest = greedy ? new Uint8Array(targets.length) : null;
  for (let start = 0; start < targets.length; start += rowsPerChunk) {
    const end = Math.min(targets.length, start + rowsPerChunk);
    const [loss, logits] = tidy(() => {
      const all = model.logits(hidden.slice(start, end), products);
      const wanted = Tensor.from(model.backend, "i32", [end - start], targets.slice(start, end));
      const loss = crossEntropy(all, wanted);
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
