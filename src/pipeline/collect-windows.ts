import type { Backend } from "../backend/backend.ts";
import { loadCalibration } from "../calibration/dataset.ts";
import { generateCalibration, type GenerateTokens } from "../calibration/self-generated.ts";
import { generateText } from "../runtime/generate.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { load, type OpenedModel } from "../runtime/load.ts";
import { loadTokenizer } from "../tokenizers/load-tokenizer.ts";
import type { Recipe } from "./recipe.ts";

interface Surroundings {
  readonly backend: Backend;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Gathers the calibration windows that a recipe asks for: from files, or sampled from the model itself.
 * @throws UsageError when there is too little text
 */
export async function collectWindows(
  opened: OpenedModel,
  recipe: Recipe,
  surroundings: Surroundings,
): Promise<{ readonly windows: readonly Int32Array[]; readonly notice: string | null }> {
  const { calibration, seed } = recipe;
  if (!calibration) return { windows: [], notice: null };
  if (calibration.selfGenerated) {
    const windows = await sampleWindows(opened, recipe, surroundings);
    return { windows, notice: null };
  }
  const tokenizer = await loadTokenizer(opened.directory);
  return loadCalibration(calibration.files, tokenizer, { ...calibration, seed });
}

async function sampleWindows(
  opened: OpenedModel,
  { calibration, seed }: Recipe,
  { backend, signal }: Surroundings,
): Promise<Int32Array[]> {
  if (!calibration) return [];
  const cancel = signal ? { signal } : {};
  const model = await load(opened.directory, { backend, ...cancel });
  try {
    return await generateCalibration({
      generate: generatorOf(model),
      tokenizer: model.tokenizer,
      samples: calibration.samples,
      window: calibration.window,
      seed,
      ...cancel,
    });
  } finally {
    model.release();
  }
}

function generatorOf(model: LanguageModel): GenerateTokens {
  return async (request) => {
    const { tokens } = await generateText(model, { ...request, ignoreEos: true });
    return tokens;
  };
}
