import type { LanguageModel } from "../runtime/language-model.ts";
import { UsageError } from "../util/errors.ts";

/** Refuses an original with another number of tokens. @throws UsageError */
export function expectSameVocabulary(
  model: LanguageModel,
  teacher: LanguageModel | undefined,
): void {
  if (!teacher || teacher.config.vocabularySize === model.config.vocabularySize) return;
  throw new UsageError(
    `${model.name} has ${model.config.vocabularySize} tokens, ${teacher.name} has ` +
      `${teacher.config.vocabularySize}: expected a model and its original`,
  );
}

/**
 * Refuses an original on another backend: ops of two backends have no order between them, so one's
 * logits could be read before they are there.
 * @throws UsageError
 */
export function expectSameBackend(model: LanguageModel, teacher: LanguageModel | undefined): void {
  if (!teacher || teacher.backend === model.backend) return;
  throw new UsageError("the model and its original were loaded on different backends", {
    hint: "load both with the same backend and number of threads",
  });
}
