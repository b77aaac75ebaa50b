import type { LanguageModel } from "../../runtime/language-model.ts";
import type { PromptSelection, MeasureOptions } from "../evaluation.ts";
import { expectSameBackend, expectSameVocabulary } from "../expect-comparable.ts";
import { expectWritable } from "../expect-writable.ts";
import { type MeasuredGeneration, measureGeneration } from "./measure-generation.ts";
import { openPrompts } from "./open-prompts.ts";

type Options = MeasureOptions<LanguageModel> & PromptSelection;

/**
 * Makes sure before a long evaluation that the prompts can be given, and the texts be written.
 * @throws as `openPrompts`; UsageError for an original of another vocabulary or backend, or a file
 * that cannot be written
 */
export async function expectGenerable(
  model: LanguageModel,
  { generate, against }: Options,
): Promise<void> {
  if (!generate) return;
  expectSameVocabulary(model, against);
  expectSameBackend(model, against);
  await openPrompts(against ?? model, generate);
  await expectWritable(generate.to, "the continuations");
}

/** Measures what a model writes, and the original beside it, where that is asked for. */
export async function generateWith(
  model: LanguageModel,
  { generate, against, products, signal, onGenerateProgress: onProgress }: Options,
): Promise<{ [Key in keyof MeasuredGeneration]: MeasuredGeneration[Key] | null }> {
  if (!generate) return { generation: null, original: null };
  return measureGeneration(model, { choice: generate, against, products, signal, onProgress });
}
