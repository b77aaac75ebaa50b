import type { Backend } from "../backend/backend.ts";
import { loadCalibration } from "../calibration/dataset.ts";
import { generateCalibration } from "../calibration/self-generated.ts";
import { chatPieces } from "../calibration/self-written-chat.ts";
import { loadTrainingText, type TrainingText } from "../calibration/training-text.ts";
import { load, type OpenedModel } from "../runtime/load.ts";
import { writeWindows } from "../runtime/write-windows.ts";
import { loadTokenizer } from "../tokenizers/load-tokenizer.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { readSharedWindows } from "./shared-windows.ts";

/**
 * Reads the windows that a recipe asks for from files; null when there are none to be read. With
 * `forTraining` of conversations only what the assistant says is to be predicted. Runs with one
 * `sharedFolder` tokenise equal text once.
 * @throws UsageError when there is too little text; UnsupportedError when the model is to write
 * conversations, or to read them, and has no chat template
 */
export async function readWindows(
  opened: OpenedModel,
  { calibration, seed }: Pick<Recipe, "calibration" | "seed">,
  forTraining: boolean,
  sharedFolder?: string,
): Promise<TrainingText | null> {
  if (!calibration) return null;
  const { config } = opened;
  const { files } = opened.checkpoint;
  if (calibration.selfGenerated) {
    if (calibration.selfGeneratedForm === "chat") {
      chatPieces(
        await loadTokenizer(files, config.vocabularySize),
        calibration.template ?? undefined,
      );
    }
    return null;
  }
  const read = async (): Promise<TrainingText> => {
    const tokenizer = await loadTokenizer(files, config.vocabularySize);
    const { template, ...rest } = calibration;
    const options = { ...rest, seed, ...(template !== null && { template }) };
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
  const { selfGeneratedForm: form, template, samples, window } = calibration;
  try {
    return await generateCalibration({
      write: (plans, length) => writeWindows(model, plans, length, { signal }),
      tokenizer: model.tokenizer,
      form,
      template: template ?? undefined,
      samples,
      window,
      seed,
      earlier,
      onWindow,
      signal,
    });
  } finally {
    model.release();
  }
}
