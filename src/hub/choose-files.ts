import { indexFileName, singleFileName } from "../formats/weight-files.ts";
import { missingConfig, missingWeights } from "../formats/checkpoint-errors.ts";
import { isSidecarFile } from "../formats/sidecar-files.ts";

/** What a checkpoint directory needs of a repository's files, by name. */
export interface ChosenNames {
  /** Everything but shards. */
  readonly names: readonly string[];
  /** Whether the index of shards is among them, which says what else is needed. */
  readonly sharded: boolean;
}

/** Files of a checkpoint besides weights and tokenizer; `run.json` is fewbit's record of a run. */
const documents = ["config.json", "run.json"];

/**
 * Chooses the files that loading a model reads: configuration, tokenizer, chat template, and
 * safetensors weights. A single weight file wins over shards where both are there, as it does when
 * they are read. Other formats and folders (`original/`, `onnx/`) are left out.
 * @throws FormatError when the repository has no configuration or no safetensors weights
 */
export function chooseFiles(names: readonly string[], repo: string): ChosenNames {
  if (!names.includes("config.json")) {
    throw missingConfig(repo, names);
  }
  const beside = names.filter((name) => documents.includes(name) || isSidecarFile(name));
  if (names.includes(singleFileName)) {
    return { names: [...beside, singleFileName], sharded: false };
  }
  if (names.includes(indexFileName)) {
    return { names: [...beside, indexFileName], sharded: true };
  }
  throw missingWeights(repo, names);
}
