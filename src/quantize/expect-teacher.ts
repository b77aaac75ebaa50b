import { readModelConfig } from "../models/index.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { openAnyCheckpoint } from "../runtime/open-checkpoint.ts";
import { UsageError } from "../util/errors.ts";
import type { Recipe } from "../recipe/recipe.ts";

/**
 * Refuses a teacher that the model cannot learn from, by its configuration alone.
 * @throws UsageError when its vocabulary is another one
 * @throws FormatError UnsupportedError when it is no model
 */
export async function expectTeacher(
  { config }: Pick<OpenedModel, "config">,
  { teacher }: Pick<Recipe, "teacher">,
): Promise<void> {
  if (teacher === null) return;
  const checkpoint = await openAnyCheckpoint(teacher);
  try {
    const { vocabularySize } = readModelConfig(checkpoint.config);
    if (vocabularySize === config.vocabularySize) return;
    throw new UsageError(
      `the teacher ${teacher} has a vocabulary of ${vocabularySize}, the model one of ` +
        `${config.vocabularySize}`,
      {
        hint: "use the original model, or one with the same tokenizer",
        field: "teacher",
        value: teacher,
      },
    );
  } finally {
    await checkpoint.close();
  }
}
