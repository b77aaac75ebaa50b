import { indexFileName, singleFileName } from "../formats/weight-files.ts";
import { missingConfig, missingWeights } from "../formats/checkpoint-errors.ts";
import { formatPartName, parsePartName } from "../formats/gguf/gguf-parts.ts";
import { isSidecarFile } from "../formats/sidecar-files.ts";
import { listNames } from "../formats/wording.ts";
import { baseName } from "../platform/node.ts";
import { FormatError } from "../util/errors.ts";
import { nearestName } from "../util/nearest.ts";

/** What a checkpoint directory needs of a repository's files, by name. */
export interface ChosenNames {
  /** Everything but shards. */
  readonly names: readonly string[];
  /** Whether the index of shards is among them, which says what else is needed. */
  readonly sharded: boolean;
}

/** Files of a checkpoint besides weights and tokenizer; `run.json` is fewbit's record of a run, the last two are of GPTQ and AWQ. */
const documents = ["config.json", "run.json", "quantize_config.json", "quant_config.json"];

/**
 * Chooses a GGUF file of a repository, with its other parts where it is split.
 * @throws FormatError when the repository lacks it, with the names that are near
 */
export function chooseGgufFiles(names: readonly string[], repo: string, file: string): string[] {
  const folder = file.slice(0, file.length - baseName(file).length);
  const part = parsePartName(baseName(file));
  const wanted = part
    ? Array.from(
        { length: part.count },
        (_, i) => folder + formatPartName({ ...part, number: i + 1 }),
      )
    : [file];
  const missing = wanted.find((name) => !names.includes(name));
  if (missing === undefined) return wanted;
  const there = names.filter((name) => name.endsWith(".gguf"));
  const nearest = nearestName(missing, there);
  throw new FormatError(`${repo} has no file ${missing}`, {
    hint:
      nearest !== null
        ? `did you mean ${nearest}?`
        : there.length > 0
          ? `its GGUF files: ${listNames(there, 12)}`
          : "it has no GGUF files",
  });
}

/**
 * Chooses the files that loading a model reads: configuration, tokenizer, chat template, and
 * safetensors weights. A single weight file wins over shards where both are there, as it does when
 * they are read. Other formats and folders (`original/`, `onnx/`) are left out.
 * @param belongs tells by its name which files beside the weights and config.json are wanted
 * @throws FormatError when the repository has no configuration or no safetensors weights
 */
export function chooseFiles(
  names: readonly string[],
  repo: string,
  belongs: (name: string) => boolean = isSidecarFile,
): ChosenNames {
  if (!names.includes("config.json")) {
    throw missingConfig(repo, names, `hf:${repo}:`);
  }
  const beside = names.filter((name) => documents.includes(name) || belongs(name));
  if (names.includes(singleFileName)) {
    return { names: [...beside, singleFileName], sharded: false };
  }
  if (names.includes(indexFileName)) {
    return { names: [...beside, indexFileName], sharded: true };
  }
  throw missingWeights(repo, names, `hf:${repo}:`);
}
