import type { Backend } from "../backend/backend.ts";
import { loadCalibration } from "../calibration/dataset.ts";
import { generateCalibration, type GenerateTokens } from "../calibration/self-generated.ts";
import { loadTrainingText, type TrainingText } from "../calibration/training-text.ts";
import { generateText } from "../runtime/generate.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { load, type OpenedModel } from "../runtime/load.ts";
import { loadTokenizer } from "../tokenizers/load-tokenizer.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { readSharedWindows } from "./shared-windows.ts";

/**
 * Reads the windows that a recipe asks for from files; null when there are none to be read. With
 * `forTraining` of conversations only what the assistant says is to be predicted. Runs with one
 * `sharedFolder` tokenise equal text once.
 * @throws UsageError when there is too little text
 */
export async function readWindows(
  opened: OpenedModel,
  { calibration, seed }: Pick<Recipe, "calibration" | "seed">,
  forTraining: boolean,
  sharedFolder?: string,
): Promise<TrainingText | null> {
  if (!calibration || calibration.selfGenerated) return null;
  const { config } = opened;
  const { files } = opened.checkpoint;
  const read = async (): Promise<TrainingText> => {
    const tokenizer = await loadTokenizer(files, config.vocabularySize);
    const options = { ...calibration, seed };
    if (forTraining) return loadTrainingText(calibration.files, tokenizer, options);
    return { ...(await loadCalibration(calibration.files, tokenizer, options)), targets: null };
  };
  if (sharedFolder === undefined) return read();
  const text = { folder: sharedFolder, files, calibration, seed, forTraining };
  return readSharedWindows(text, read);
}

/** How windows are sampled, and which of them are there. */
export interface Sampling {
  readonly backend: Backend;
  readonly signal?: AbortSignal | undefined;
  readonly earlier: readonly Int32Array[];
  readonly onWindow: (window: Int32Array, done: number) => Promise<void>;
}

/** Samples calibration windows that a recipe asks for from the model itself, or its teacher. */
export async function sampleWindows(
  opened: OpenedModel,
  { calibration, seed, teacher }: Recipe,
  { backend, signal, earlier, onWindow }: Sampling,
): Promise<readonly Int32Array[]> {
  if (!calibration) return [];
  if (earlier.length >= calibration.samples) return earlier;
  const model = await load(teacher ?? opened.directory, { backend, signal });
  try {
    return await generateCalibration({
      generate: generatorOf(model),
      tokenizer: model.tokenizer,
      samples: calibration.samples,
      window: calibration.window,
      seed,
      earlier,
      onWindow,
      signal,
    });
  } finally {
    model.release();
  }
}

function generatorOf(model: LanguageModel): GenerateTokens {
  return async (request) => {
    const { tokens } = await generateText(model, { ...request, ignoreEos: true, kvCache: "f32" });
    return tokens;
  };
}
