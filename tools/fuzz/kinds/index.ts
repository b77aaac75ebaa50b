import type { Kind } from "../kind.ts";
import { config, packed, safetensors, shardIndex } from "./checkpoints.ts";
import { commandLine } from "./command-line.ts";
import { gguf } from "./gguf.ts";
import { hub } from "./hub.ts";
import { addon, kernels } from "./native.ts";
import { quantizeOptions, runRecord, scheme, sweepRecipe, trainConfig } from "./recipes.ts";
import { queue, resultsDatabase, resultsJson, sql } from "./results.ts";
import { journal } from "./runs.ts";
import { documentFiles, taskFiles } from "./texts.ts";
import { template, text, tokenizer, tokenizerSettings } from "./tokenizers.ts";

/** Every kind of input that fewbit reads. */
export const kinds: readonly Kind[] = [
  safetensors,
  shardIndex,
  config,
  packed,
  gguf,
  tokenizer,
  tokenizerSettings,
  template,
  text,
  sweepRecipe,
  trainConfig,
  quantizeOptions,
  scheme,
  runRecord,
  documentFiles,
  taskFiles,
  resultsJson,
  resultsDatabase,
  sql,
  queue,
  journal,
  hub,
  commandLine,
  addon,
  kernels,
];
