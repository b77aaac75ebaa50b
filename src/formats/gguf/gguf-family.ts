import { UnsupportedError } from "../../util/errors.ts";
import type { GgufTensor } from "./gguf-header.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";

/** What is to be known of a family of models to read its GGUF files. */
export interface GgufFamily {
  /** `model_type` in config.json, and the family's name in `architectures`. */
  readonly modelType: string;
  readonly title: string;
  /** Whether blocks may slide. */
  readonly hasWindows: boolean;
  readonly gguf: {
    /** `general.architecture`. */
    readonly architecture: string;
    /** Whether the rows of queries and keys lie in another order in the file. */
    readonly permuted: boolean;
  };
}

/** What a model's configuration is read from. */
export interface GgufModelSource {
  readonly metadata: GgufMetadata;
  readonly family: GgufFamily;
  /** All tensors by their names in the file. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Values of `rope_freqs.weight`; null where there is no such tensor. */
  readonly ropeFactors: Float32Array | null;
}

/**
 * Finds the family of a file's model: the first of its architecture, where the metadata has a
 * sliding window the first that slides.
 * @throws UnsupportedError when the file is no model, or of none that is known
 */
export function findGgufFamily(
  metadata: GgufMetadata,
  families: readonly GgufFamily[],
): GgufFamily {
  const architecture =
    metadata.string("general.architecture") ?? metadata.missing("general.architecture");
  const type = metadata.string("general.type") ?? "model";
  if (type !== "model") {
    throw new UnsupportedError(`${metadata.source} holds no model, its general.type is "${type}"`, {
      hint: "name the file of the model that it belongs to",
    });
  }
  const fitting = families.filter(({ gguf }) => gguf.architecture === architecture);
  const slides = metadata.has(`${architecture}.attention.sliding_window`);
  const found = (slides && fitting.find(({ hasWindows }) => hasWindows)) || fitting[0];
  if (found) return found;
  const known = [...new Set(families.map(({ gguf }) => gguf.architecture))];
  throw new UnsupportedError(
    `${metadata.source}: models of the architecture "${architecture}" are not supported`,
    { hint: `supported: ${known.join(", ")}` },
  );
}
