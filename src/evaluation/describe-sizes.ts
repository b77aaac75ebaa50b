import type { LanguageModel } from "../runtime/language-model.ts";
import type { TaskEvaluation } from "./evaluation.ts";

/** Bytes and bits of a model's weight files. */
export function describeSizes({
  sizes,
}: LanguageModel): Pick<TaskEvaluation, "sizeBytes" | "linearBytes" | "bitsPerWeight"> {
  return {
    sizeBytes: sizes.file.bytes,
    linearBytes: sizes.linear.bytes,
    bitsPerWeight: { linear: sizes.linear.bitsPerWeight, file: sizes.file.bitsPerWeight },
  };
}
