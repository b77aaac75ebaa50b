import { expectWithinContext } from "../calibration/windows.ts";
import { DirectoryFiles } from "../formats/directory-files.ts";
import type { ModelFiles } from "../formats/model-files.ts";
import { exists, joinPath, makeDirectories, parentPath } from "../platform/node.ts";
import { openModelFiles } from "../runtime/open-checkpoint.ts";
import { trainByteLevelTokenizer, writeTokenizer } from "../tokenizers/byte-level-tokenizer.ts";
import { loadTokenizer } from "../tokenizers/load-tokenizer.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { type Windows, windowsOver } from "../training/token-batches.ts";
import type { TrainConfig } from "./pretrain-config.ts";
import { readTexts, tokenize } from "./tokenize-texts.ts";

/** Tokenizer and windows of a training. */
export interface TrainingData {
  readonly tokenizer: Tokenizer;
  readonly windows: Windows;
  /** Tokens of the training text. */
  readonly textTokens: number;
  /** Windows to validate on; null without validation. */
  readonly validation: Windows | null;
}

/** Where the data of a training comes from. */
export interface DataSources {
  readonly config: TrainConfig;
  /** Directory that the tokenizer's files are written to; what is there already is taken. */
  readonly workPath: string;
  /** Files of the model that is trained further; null for a new model. */
  readonly from: ModelFiles | null;
  /** Tokens of the model that is trained further; null for a new model. */
  readonly vocabularySize: number | null;
  /** Longest window that the model takes. */
  readonly contextLength: number;
  readonly report: (activity: string) => void;
  readonly signal?: AbortSignal | undefined;
}

const usualWindow = 256;

/**
 * Reads the texts, learns or takes over the tokenizer, and cuts the tokens into windows.
 * @throws UsageError when a text has too few tokens, or a window is longer than the model's context
 * @throws FormatError when a file is missing or malformed
 */
export async function prepareData(sources: DataSources): Promise<TrainingData> {
  const { config, contextLength, report, signal } = sources;
  const { files, documents, window, stride } = config.data;
  const length = window ?? Math.min(usualWindow, contextLength);
  const orElse = ", or a larger max_position_embeddings";
  expectWithinContext(length, contextLength, "data.window", orElse);
  report("reading text");
  const texts = await readAll(files, documents);
  const heldOut = await readAll(config.validation?.files ?? [], documents);
  const tokenizer = await prepareTokenizer(texts, sources);
  report("tokenizing");
  const tokens = await tokenize(texts, tokenizer, documents, signal);
  const held = config.validation && (await tokenize(heldOut, tokenizer, documents, signal));
  return {
    tokenizer,
    windows: windowsOver(tokens, length, stride ?? length),
    textTokens: tokens.length,
    validation: held ? windowsOver(held, length) : null,
  };
}

async function readAll(
  paths: readonly string[],
  documents: TrainConfig["data"]["documents"],
): Promise<string[]> {
  const texts: string[] = [];
  for (const path of paths) for (const text of await readTexts(path, documents)) texts.push(text);
  return texts;
}

async function prepareTokenizer(
  texts: readonly string[],
  { config, workPath, from, vocabularySize, report, signal }: DataSources,
): Promise<Tokenizer> {
  const { tokenizer, model } = config;
  const own = new DirectoryFiles(workPath);
  const open = () => loadTokenizer(from ?? own, vocabularySize ?? undefined);
  if (await exists(joinPath(workPath, "tokenizer.json"))) return open();
  const files = from ?? (typeof tokenizer === "string" ? await openModelFiles(tokenizer) : null);
  if (files !== null) {
    for (const name of await files.sidecars()) {
      if (from === null && name === "generation_config.json") continue;
      await makeDirectories(parentPath(joinPath(workPath, name)));
      await files.copy(name, joinPath(workPath, name));
    }
    return open();
  }
  report("learning a tokenizer");
  const choices = typeof tokenizer === "object" ? tokenizer : {};
  const size = model?.vocab_size ?? usualVocabulary;
  const options = { ...choices, vocabularySize: size, signal };
  const learned = await trainByteLevelTokenizer(texts, options);
  await writeTokenizer(workPath, learned);
  return open();
}

const usualVocabulary = 4096;
