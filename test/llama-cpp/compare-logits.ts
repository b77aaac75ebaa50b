import type { LanguageModel } from "../../src/runtime/language-model.ts";

/** How far the predictions of one runtime are from those of another, over the places of a text. */
export interface LogitsDifference {
  /** Mean KL divergence of the second from the first, in nats. */
  readonly divergence: number;
  /**
   * The most, over the places, that the token which the second takes for the likeliest lies behind
   * the likeliest of the first, in logits.
   */
  readonly behindTheBest: number;
}

/** Logits `[vocabulary]` of fewbit at each place of a text, by exact products. */
export async function logitsOf(
  model: LanguageModel,
  ids: readonly number[],
): Promise<Float32Array[]> {
  const { hiddenSize, vocabularySize: width } = model.config;
  const hidden = model.hiddenStates(model.tokens([ids]), { products: "exact" });
  const all = await model.logits(hidden.reshape([ids.length, hiddenSize]), "exact").read();
  return ids.map((_, i) => all.slice(i * width, (i + 1) * width));
}

/** Compares logits place by place. */
export function compareLogits(
  first: readonly Float32Array[],
  second: readonly Float32Array[],
): LogitsDifference {
  if (first.length !== second.length) throw new Error("texts of different lengths");
  const divergences = first.map((row, i) => divergence(row, second[i]));
  const behind = first.map((row, i) => greatest(row) - row[second[i].indexOf(greatest(second[i]))]);
  return {
    divergence: divergences.reduce((a, b) => a + b, 0) / divergences.length,
    behindTheBest: Math.max(...behind),
  };
}

/** Log-probability of a token, in nats, summed in 64 bits. */
export function logProbability(logits: Float32Array, id: number): number {
  return logits[id] - logSum(logits);
}

function divergence(first: Float32Array, second: Float32Array): number {
  if (first.length !== second.length) throw new Error("vocabularies of different sizes");
  const [a, b] = [logSum(first), logSum(second)];
  return first.reduce(
    (sum, value, i) => sum + Math.exp(value - a) * (value - a - second[i] + b),
    0,
  );
}

function logSum(row: Float32Array): number {
  const most = greatest(row);
  return most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

function greatest(row: Float32Array): number {
  return row.reduce((a, b) => Math.max(a, b));
}
