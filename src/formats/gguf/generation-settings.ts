import type { JsonRecord } from "../../util/json.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";

/** Settings of sampling: their names in generation_config.json and behind `general.sampling.`. */
const samplingNames: readonly (readonly [hf: string, gguf: string])[] = [
  ["temperature", "temp"],
  ["top_k", "top_k"],
  ["top_p", "top_p"],
  ["min_p", "min_p"],
  ["repetition_penalty", "penalty_repeat"],
];

/**
 * Writes what a GGUF file recommends for generation as generation_config.json.
 * @param tokenIds ids of special tokens, as they stand there
 * @throws FormatError when a key is of another type
 */
export function generationSettings(metadata: GgufMetadata, tokenIds: object): JsonRecord {
  const sampling: Record<string, number> = {};
  for (const [hf, gguf] of samplingNames) {
    const value = metadata.number(`general.sampling.${gguf}`);
    if (value !== null) sampling[hf] = value;
  }
  const samples = sampling.temperature ?? 0;
  if (sampling.temperature === 0) delete sampling.temperature;
  return { ...tokenIds, ...(samples > 0 && { do_sample: true }), ...sampling };
}
