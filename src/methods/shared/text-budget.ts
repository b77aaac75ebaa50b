import type { Budget, TrainingEffort } from "../define-method.ts";

/**
 * Tokens for each weight with which methods that train all weights were measured here to work: a
 * quarter and more, in docs/trained-methods.md. Papers have a hundred times that.
 */
const tokensPerWeight = 0.25;

/**
 * Says that a training of all weights is short for their number; null where it is not.
 * @param title of the method
 */
export function shortTraining(
  title: string,
  { steps, microBatchTokens, accumulation }: TrainingEffort,
  { shape: { weights } }: Budget,
): string | null {
  const tokens = steps * microBatchTokens * accumulation;
  if (tokens >= tokensPerWeight * weights) return null;
  const count = (of: number): string => Math.round(of).toLocaleString("en");
  const needed = Math.ceil((tokensPerWeight * weights) / (microBatchTokens * accumulation));
  return (
    `${title} trains ${count(weights)} weights on ${count(tokens)} tokens, and is known to work with ` +
    `one token for four weights and more: that would be \`steps\` of ${count(needed)}, and as much ` +
    "text; below it, GPTQ or Block-AP may give a better model"
  );
}
