import type { LanguageModel } from "../runtime/language-model.ts";
import type { ModelSizes } from "./evaluation.ts";

/** Bytes and bits of a model's weight files. */
export function describeSizes({ sizes: { file, linear } }: LanguageModel): ModelSizes {
  return {
    sizeBytes: file.bytes,
    linearBytes: linear.bytes,
    bitsPerWeight: { linear: linear.bitsPerWeight, file: file.bitsPerWeight },
  };
}
