import type { InspectedModule, InspectedTensor } from "../runtime/inspect.ts";

/** Weights that are not packed, such as the embedding. */
export interface KeptWeights {
  /** `embedding, head`. */
  readonly label: string;
  readonly bitsPerWeight: number;
  readonly sizeBytes: number;
}

/**
 * Summarizes the matrices that are not packed: those of the blocks under `blocksLabel`, and those
 * around them. Vectors are too small to matter, what
 * the model does not use does not count.
 * @param head name of the output head; null where it is not known
 */
export function keptWeights(
  tensors: readonly InspectedTensor[],
  modules: readonly InspectedModule[],
  head: string | null,
  blocksLabel = "layers kept",
): KeptWeights[] {
  const packed = new Set(modules.map(({ module }) => module));
  const matrices = tensors.filter(
    ({ name, shape, used }) =>
      used && shape.length >= 2 && !packed.has(name.slice(0, name.lastIndexOf("."))),
  );
  const inBlocks = matrices.filter(({ name }) => isInBlock(name));
  const around = matrices.filter(({ name }) => !isInBlock(name));
  return [
    ...summed(blocksLabel, inBlocks),
    ...summed(labelOfVocabularyTables(around, modules, head), around),
  ];
}

/** Tells by its name whether a tensor or module stands in a block. */
export function isInBlock(name: string): boolean {
  return /\.\d+\./.test(name);
}

/** One of embedding and output head may be packed while the other is kept. */
function labelOfVocabularyTables(
  kept: readonly InspectedTensor[],
  modules: readonly InspectedModule[],
  head: string | null,
): string {
  if (head === null) return "around the blocks";
  if (modules.every(({ module }) => isInBlock(module))) return "embedding, head";
  return kept.every(({ name }) => name.startsWith(`${head}.`)) ? "head" : "embedding";
}

function summed(label: string, tensors: readonly InspectedTensor[]): KeptWeights[] {
  if (tensors.length === 0) return [];
  const sizeBytes = tensors.reduce((total, tensor) => total + tensor.sizeBytes, 0);
  const weights = tensors.reduce((total, { shape }) => total + shape.reduce((a, b) => a * b, 1), 0);
  return [{ label, bitsPerWeight: (8 * sizeBytes) / weights, sizeBytes }];
}
