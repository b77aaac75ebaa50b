import { UnsupportedError } from "../../util/errors.ts";
import type { JsonRecord } from "../../util/json.ts";
import type { CheckpointNames } from "./tensor-names.ts";
import type { GgufTensor } from "./gguf-header.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";

/** What is to be known of a family of models to read its GGUF files. */
export interface GgufFamily {
  /** `model_type` in config.json, and the family's name in `architectures`. */
  readonly modelType: string;
  readonly title: string;
  /** Whether blocks may slide. */
  readonly hasWindows: boolean;
  /** Names that the family has for shared fields. */
  readonly aliases?: Readonly<Record<string, string>>;
  readonly gguf: {
    /** `general.architecture`. */
    readonly architecture: string;
    /** The class in transformers; absent where it is the title with `ForCausalLM`. */
    readonly className?: string;
    /** Whether the rows of queries and keys lie in another order in the file. */
    readonly permuted: boolean;
    /** The field of the eps of a LayerNorm; absent where norms are RMSNorms. */
    readonly layerNormEps?: string;
    /** Fields that its files have no key for. */
    readonly means?: (sizes: {
      readonly blocks: number;
      readonly hiddenSize: number;
      readonly heads: number;
      readonly headDim: number;
      readonly has: (tensor: string) => boolean;
    }) => JsonRecord;
    /** Keys of its own, and the fields that they stand for. */
    readonly keys?: readonly { readonly key: string; readonly field: string }[];
    /** Fields of a mixture of experts; absent where it is none. */
    readonly experts?: {
      readonly count: string;
      readonly used: string;
      readonly width: string;
      readonly shared?: string;
    };
    /** Whether its rotations turn pairs of channels by several positions. */
    readonly sectioned?: boolean;
    /** Whether the rotated share of a head is always stated. */
    readonly partlyRotated?: boolean;
    /** Every how many blocks one does not slide, and the window where none is stated. */
    readonly windows?: { readonly every: number; readonly usual: number | null };
  };
}

/** What a family makes of a configuration, as far as tensors are named and lie by it. */
export interface GgufDecoder {
  readonly names: CheckpointNames;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly joined: "parts" | "heads";
  /** Of blocks that are mixtures. */
  readonly experts?: { readonly count: number };
}

/** Factors of the wavelengths of LongRoPE. */
export interface LongFactors {
  readonly short: Float32Array;
  readonly long: Float32Array;
}

/** What a model's configuration is read from. */
export interface GgufModelSource {
  readonly metadata: GgufMetadata;
  readonly family: GgufFamily;
  /** All tensors by their names in the file. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Values of `rope_freqs.weight`; null where there is no such tensor. */
  readonly ropeFactors: Float32Array | null;
  /** Values of `rope_factors_short.weight` and its fellow; null where they are not both there. */
  readonly longFactors: LongFactors | null;
}

/**
 * Finds the family of a file's model: the first of its architecture, where the metadata counts
 * experts the first that has them, where it has a sliding window the first that slides.
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
  const experts = metadata.count(`${architecture}.expert_count`) ?? 0;
  const named = families.filter(({ gguf }) => gguf.architecture === architecture);
  const fitting = named.filter(({ gguf }) => (gguf.experts !== undefined) === experts > 0);
  const slides = metadata.has(`${architecture}.attention.sliding_window`);
  const found = (slides && fitting.find(({ hasWindows }) => hasWindows)) || fitting[0];
  if (found) return found;
  if (named.length > 0) throw otherMixture(metadata.source, architecture, experts);
  const known = [...new Set(families.map(({ gguf }) => gguf.architecture))];
  throw new UnsupportedError(
    `${metadata.source}: models of the architecture "${architecture}" are not supported`,
    { hint: `supported: ${known.join(", ")}` },
  );
}

function otherMixture(source: string, architecture: string, experts: number): UnsupportedError {
  return new UnsupportedError(
    experts > 0
      ? `${source}: a mixture of ${experts} experts is not supported in the architecture ` +
          `"${architecture}"`
      : `${source}: models of the architecture "${architecture}" are mixtures of experts, and the ` +
          "metadata counts none",
    { hint: "take a file of another model, or convert the model again" },
  );
}
