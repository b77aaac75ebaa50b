import type { Backend } from "../backend/backend.ts";
import { loadCalibration } from "../calibration/dataset.ts";
import { generateCalibration } from "../calibration/self-generated.ts";
import { chatPieces } from "../calibration/self-written-chat.ts";
import { loadTrainingText, type TrainingText } from "../calibration/training-text.ts";
import { load, type OpenedModel } from "../runtime/load.ts";
import { writeWindows } from "../runtime/write-windows.ts";
import { loadTokenizer } from "../tokenizers/load-tokenizer.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { expectNoBareImages, imageTokens, openImages } from "./image-embeddings.ts";
import { readSharedWindows, type SharedText } from "./shared-windows.ts";

/**
 * Reads the windows that a recipe asks for from files; null when there are none to be read. With
 * `forTraining` of conversations only what the assistant says is to be predicted. Runs with one
 * `sharedFolder` tokenise equal text once.
 * @throws UsageError when there is too little text, or text with images that were not given;
 * UnsupportedError when the model is to write conversations, or to read them, and has no chat
 * template
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
    const { template, imageEmbeddings: _, ...rest } = calibration;
    const options = { ...rest, seed, ...(template !== null && { template }) };
    if (forTraining) return loadTrainingText(calibration.files, tokenizer, options);
    const rows = await openImages(opened, calibration);
    try {
      await rows?.expectFinite();
      const images = rows && imageTokens(opened, rows);
      const text = await loadCalibration(calibration.files, tokenizer, { ...options, images });
      return { ...text, targets: null };
    } finally {
      await rows?.close();
    }
  };
  const found = await readOnce(opened, { calibration, seed, forTraining, sharedFolder }, read);
  expectNoBareImages(opened, found.windows);
  return found;
}

interface Reading extends Pick<SharedText, "calibration" | "seed" | "forTraining"> {
  readonly sharedFolder: string | undefined;
}

/** Reads text, or takes what another run with the same folder has read. */
function readOnce(
  { checkpoint }: OpenedModel,
  { sharedFolder, ...text }: Reading,
  read: () => Promise<TrainingText>,
): Promise<TrainingText> {
  // In windows stand numbers of rows, which are those of the file as it is now.
  if (sharedFolder === undefined || text.calibration.imageEmbeddings !== null) return read();
  return readSharedWindows({ folder: sharedFolder, files: checkpoint.files, ...text }, read);
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
