import { generateText } from "../runtime/generate.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import type { PointEvaluation } from "./recipe/sweep-recipe.ts";
import type { Sample } from "./results/sweep-results.ts";

/** Lets a model continue texts, taking the most likely token each time. */
export async function writeSamples(
  model: LanguageModel,
  { prompts, tokens: maxTokens }: NonNullable<PointEvaluation["samples"]>,
  signal: AbortSignal,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const prompt of prompts) {
    const { text: continuation } = await generateText(model, { prompt, maxTokens, signal });
    samples.push({ prompt, continuation });
  }
  return samples;
}
