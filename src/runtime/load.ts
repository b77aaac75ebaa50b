import type { Backend } from "../backend/backend.ts";
import type { Checkpoint } from "../formats/checkpoint.ts";
import { readQuantizationConfig } from "../formats/quantization-config.ts";
import type { HubOrigin } from "../hub/resolve-model.ts";
import { DecoderModel } from "../models/decoder.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import type { DecoderBlock } from "../models/decoder-weights.ts";
import type { IntegerBlock } from "../models/integer-block.ts";
import { IntegerDecoder } from "../models/integer-decoder.ts";
import { findArchitecture } from "../models/index.ts";
import type { FoldedRotation } from "../nn/model-rotation.ts";
import type { KvRounding } from "../quant/activation-grid.ts";
import { absolutePath, baseName } from "../platform/node.ts";
import { loadTokenizer } from "../tokenizers/load-tokenizer.ts";
import { throwIfCancelled } from "../util/errors.ts";
import { CheckpointWeights, type WeightPrecision } from "../formats/checkpoint-weights.ts";
import { LanguageModel } from "./language-model.ts";
import { openModelCheckpoint } from "./model-checkpoint.ts";
import { measureSizes, type ModelSizes } from "./model-sizes.ts";

/** How a checkpoint is opened. */
export interface OpenOptions {
  readonly backend: Backend;
  /** What float matrices are held as; by default 16 bits where they are stored so. */
  readonly precision?: WeightPrecision;
  /** Whether packed weights are decoded as an original; see `CheckpointOptions`. */
  readonly decoded?: boolean;
  /** Name for people; by default that of the directory or file. */
  readonly name?: string;
  /** Repository and commit that the directory holds, when it is from the Hugging Face Hub. */
  readonly origin?: HubOrigin | null;
  /** What keys and values are rounded to, in the place of what the checkpoint says. */
  readonly kvCache?: KvRounding | null | undefined;
  /** Takes what a user should know of the checkpoint, a line each. */
  readonly onNotice?: ((notice: string) => void) | undefined;
}

/** How a model is loaded. */
export interface LoadOptions extends OpenOptions {
  /** What leads to the directory, such as `hf:owner/name@commit`; default the directory itself. */
  readonly source?: string;
  /** Whether its forward passes are of integers alone, from token ids to logits. */
  readonly integerOnly?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** A checkpoint whose blocks are read one at a time. */
export interface OpenedModel {
  /** Directory or GGUF file as it was given. */
  readonly directory: string;
  /** Name for people: that of the directory, or of the repository it came from. */
  readonly name: string;
  /** Family for people: `Llama`, `Qwen2`, ... */
  readonly architecture: string;
  /** Scheme that the checkpoint was quantized to; null for float checkpoints. */
  readonly schemeId: string | null;
  readonly origin: HubOrigin | null;
  readonly config: DecoderConfig;
  readonly sizes: ModelSizes;
  /**
   * What the model uses of it. Stays open as long as blocks are read; the caller that opened the
   * model closes it.
   */
  readonly checkpoint: Checkpoint;
  /** Names of its tensors that are of other parts than the language model, and stay as they are. */
  readonly carried: ReadonlySet<string>;
  readonly model: DecoderModel;
  /** The rotation that its weights take up as they are read; absent where they take none. */
  readonly rotation?: FoldedRotation;
}

/**
 * Opens a checkpoint, a directory or a GGUF file, without reading its blocks: for streaming through a model that is
 * larger than the memory. Names and shapes of all weights are checked.
 * @throws FormatError when files are missing, malformed or do not belong together
 * @throws UnsupportedError for architectures and quantizations that are not known
 */
export async function openModel(directory: string, options: OpenOptions): Promise<OpenedModel> {
  const { checkpoint, carried, notices, ...found } = await openModelCheckpoint(directory, options);
  const { kvCache = found.config.kvCache } = options;
  const config = { ...found.config, kvCache };
  try {
    const { backend, precision = "stored", onNotice } = options;
    const weights = new CheckpointWeights(backend, checkpoint, precision);
    const model = await DecoderModel.open(backend, config, weights);
    for (const notice of notices) onNotice?.(notice);
    return {
      directory,
      name: options.name ?? baseName(absolutePath(directory)),
      architecture: findArchitecture(checkpoint.config).title,
      schemeId: readQuantizationConfig(checkpoint.config)?.name ?? null,
      origin: options.origin ?? null,
      config,
      sizes: measureSizes(config, checkpoint, carried),
      checkpoint,
      carried,
      model,
    };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

/**
 * Loads a checkpoint, a directory or a GGUF file, whole, with its tokenizer. Packed weights stay packed, 16-bit ones
 * stay in 16 bits; both are widened exactly when they are multiplied by.
 * @throws FormatError when files are missing, malformed or do not belong together
 * @throws NumericError when weights are NaN or infinite
 * @throws UnsupportedError for architectures and quantizations that are not known, and for those that
 * have no integer form, when that is asked for
 * @throws CancelledError when `signal` is aborted
 */
export async function load(directory: string, options: LoadOptions): Promise<LanguageModel> {
  const opened = await openModel(directory, options);
  try {
    const tokenizer = await loadTokenizer(opened.checkpoint.files, opened.config.vocabularySize);
    const { source = directory } = options;
    const parts = { ...opened, source, tokenizer };
    if (options.integerOnly)
      return new LanguageModel({ ...parts, ...(await asIntegers(opened, options)) });
    const blocks: DecoderBlock[] = [];
    for (let index = 0; index < opened.model.blockCount; index++) {
      throwIfCancelled(options.signal);
      blocks.push(await opened.model.loadBlock(index));
    }
    return new LanguageModel({ ...parts, blocks });
  } finally {
    await opened.checkpoint.close();
  }
}

/** Turns a model into integers block by block; of each, the 8-bit weights stay in memory. */
async function asIntegers(
  { model }: OpenedModel,
  { signal }: LoadOptions,
): Promise<{ readonly model: IntegerDecoder; readonly blocks: readonly IntegerBlock[] }> {
  const decoder = await IntegerDecoder.of(model);
  model.releaseEmbeddingAndHead();
  const blocks: IntegerBlock[] = [];
  for (let index = 0; index < model.blockCount; index++) {
    throwIfCancelled(signal);
    const block = await model.loadBlock(index);
    blocks.push(await decoder.convertBlock(block));
    model.releaseBlock(block);
  }
  return { model: decoder, blocks };
}
