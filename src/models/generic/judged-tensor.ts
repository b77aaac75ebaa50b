import type { VocabularyRole } from "../../nn/quantizable-model.ts";
import type { Shape } from "../../tensor/shape.ts";

/** A tensor of a checkpoint, as its header describes it. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: Shape;
}

/** A matrix, or a stack of matrices such as all experts of a layer, that can be quantized. */
export interface GenericMatrix {
  /** The name without `.weight`. */
  readonly module: string;
  /** Index of the numbered block that it stands in. */
  readonly block: number;
  /** Name below the block. */
  readonly slot: string;
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Of a stack, how many there are, and whether they are stored `[in, out]`; null: one matrix. */
  readonly stack: { readonly matrices: number; readonly transposed: boolean } | null;
}

/** What a tensor of an architecture that is not known looks like. */
export interface JudgedTensor extends StoredTensor {
  /** What can be quantized of it; null: nothing. */
  readonly matrix: GenericMatrix | null;
  /** What a table of the vocabulary serves as; empty for anything else. */
  readonly roles: readonly VocabularyRole[];
  /** Why it stays as it is unless a recipe names it; null: it looks like a linear layer. */
  readonly reason: string | null;
}
