import type { Evaluation } from "../evaluation/evaluation.ts";
import { perplexityHalfWidth, type VariantFigures } from "./evaluation-table.ts";
import { modelName } from "./model-name.ts";

/** Turns an evaluation into a row of the table, under a name for the variant. */
export function variantFigures(evaluation: Evaluation, variant: string): VariantFigures {
  const { perplexity, loss, bitsPerWeight, sizeBytes } = evaluation;
  return {
    variant,
    bitsPerWeight,
    sizeBytes,
    perplexity: {
      value: perplexity,
      halfWidth: perplexityHalfWidth(perplexity, loss.standardError),
    },
    klDivergence: evaluation.klDivergence?.mean ?? null,
    topTokenAgreement: evaluation.topTokenAgreement,
    tokensPerSecond: evaluation.tokensPerSecond,
    peakMemoryBytes: evaluation.peakMemoryBytes,
  };
}

/** The row of the original that an evaluation compared with; null when it compared with none. */
export function originalFigures({ original }: Evaluation): VariantFigures | null {
  if (!original) return null;
  const { model, perplexity, loss, sizeBytes, bitsPerWeight } = original;
  return {
    variant: modelName(model),
    bitsPerWeight,
    sizeBytes,
    perplexity: {
      value: perplexity,
      halfWidth: perplexityHalfWidth(perplexity, loss.standardError),
    },
    klDivergence: null,
    topTokenAgreement: null,
    tokensPerSecond: null,
    peakMemoryBytes: null,
  };
}
