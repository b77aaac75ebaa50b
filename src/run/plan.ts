import type { AllocationRecord } from "./allocation-record.ts";
import type { MemoryFit } from "./memory-fit.ts";
import type { TrainingEffort } from "../methods/define-method.ts";
import type { VocabularyTable } from "../nn/quantizable-model.ts";
import type { Scheme } from "../quant/scheme.ts";
import type { Shape } from "../tensor/shape.ts";

/** What will happen to one linear layer. */
export interface PlannedLinear {
  /** Full name, such as `model.layers.3.self_attn.q_proj`. */
  readonly module: string;
  readonly block: number;
  /** Name below the block. */
  readonly slot: string;
  /** Number of the expert that it belongs to; absent where every token goes through it. */
  readonly expert?: number;
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Null: stays as it is. */
  readonly scheme: Scheme | null;
  /** Where it is a matrix of a tensor of three dimensions: which. */
  readonly stack?: StackPlace;
}

/** Place of a matrix in a tensor `[matrices, rows, columns]`. */
export interface StackPlace {
  readonly tensor: string;
  readonly index: number;
  /** Whether it is stored as `[in, out]`. */
  readonly transposed: boolean;
}

/** A tensor that stays as it is, where no architecture says which are linear layers. */
export interface KeptTensor {
  readonly name: string;
  readonly shape: Shape;
  /** In a few words. */
  readonly reason: string;
}

/** What will happen to embedding or output head. */
export interface PlannedVocabularyTable extends VocabularyTable {
  /** Null: stays as it is. */
  readonly scheme: Scheme | null;
}

/** How the activations between blocks are kept. */
export interface PlannedActivations {
  /**
   * Of all windows; twice as much where those of the original model are needed too, and with the
   * gradients by the outputs of a block where these are.
   */
  readonly bytes: number;
  readonly dtype: "f32" | "f16";
  readonly onDisk: boolean;
}

/** Everything that is known before work starts. */
export interface Plan {
  readonly modelName: string;
  /** `Llama`, `Qwen2`, ... */
  readonly architecture: string;
  readonly blocks: number;
  readonly linears: readonly PlannedLinear[];
  /** Embedding and output head. */
  readonly ends: readonly PlannedVocabularyTable[];
  /** With `generic`: what stays as it is, and why. */
  readonly kept?: readonly KeptTensor[];
  /** Weights in the linears that will be quantized. */
  readonly quantizedWeights: number;
  /** Parameters of the whole model, tied ones counted once. */
  readonly parameters: number;
  /** Titles of the methods in the order in which they run: `AWQ + GPTQ`. */
  readonly methodTitle: string;
  /** What speaks against the schemes that were chosen, a sentence each. */
  readonly cautions: readonly string[];
  readonly schemeId: string;
  readonly calibration: { readonly windows: number; readonly window: number } | null;
  /** What is kept of the calibration text between blocks; null without any. */
  readonly activations: PlannedActivations | null;
  /** Of methods that train the whole model; otherwise null. */
  readonly training: TrainingEffort | null;
  /** Of transforms that learn rotations of the whole model; otherwise null. */
  readonly learning: TrainingEffort | null;
  /**
   * How often a window goes through a block for the gradients by outputs of blocks; null where these
   * are not needed.
   */
  readonly outputGradients: number | null;
  /** Bytes of the squared gradients on the disk meanwhile; null where these are not needed. */
  readonly sensitivityBytes: number | null;
  /** How the scheme of each layer was chosen; absent where the recipe says it. */
  readonly allocation?: AllocationRecord;
  readonly fit: MemoryFit;
  /** `native (AVX-512)`. */
  readonly backend: string;
  readonly threads: number;
  readonly sourceBytes: number;
  readonly estimate: {
    readonly memoryBytes: number;
    readonly outputBytes: number;
    readonly seconds: number;
  };
}

/** Counts the weights of embedding and output head that will be quantized. */
export function embeddingAndHeadWeights(tables: readonly PlannedVocabularyTable[]): number {
  return tables
    .filter(({ scheme }) => scheme !== null)
    .reduce((sum, { outFeatures, inFeatures }) => sum + outFeatures * inFeatures, 0);
}
