import type { Backend } from "../backend/backend.ts";
import { openUnfinishedCheckpoint } from "../formats/checkpoint.ts";
import { CheckpointWeights } from "../runtime/checkpoint-weights.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { FewbitError } from "../util/errors.ts";
import type { ActivationCache } from "./activations.ts";
import { type FinishedTensors, FinishedWeights } from "./finished-weights.ts";

/** Finished blocks whose outputs are wanted again. */
export interface Repetition {
  readonly opened: OpenedModel;
  readonly backend: Backend;
  /** What is written of the output in `folder`. */
  readonly finished: Omit<FinishedTensors, "output"> & { readonly folder: string };
  /** Fingerprint of what each block gave, in order. */
  readonly outputs: readonly (string | null)[];
  /** Inputs of the first block; outputs of the last one afterwards. */
  readonly activations: ActivationCache;
  readonly signal?: AbortSignal | undefined;
  readonly onBlock: (index: number) => void;
}

/**
 * Runs the activations through finished blocks, as they are written, and checks that they give what they
 * gave in the run that was interrupted. That costs one pass through these blocks; keeping the activations
 * on the disk instead would cost every run several times their size in writes.
 * @throws FewbitError (code `RESUME`) when a block gives something else
 */
export async function repeatBlocks(repetition: Repetition): Promise<void> {
  const { opened, backend, finished, outputs, activations, signal, onBlock } = repetition;
  if (outputs.length === 0) return;
  const { model, checkpoint } = opened;
  const output = await openUnfinishedCheckpoint(finished.folder);
  try {
    const original = new CheckpointWeights(backend, checkpoint, "float32");
    const source = new FinishedWeights(backend, original, { ...finished, output });
    for (const [index, expected] of outputs.entries()) {
      onBlock(index);
      const block = await model.loadBlock(index, source);
      await activations.advance(model, block, signal);
      model.releaseBlock(block);
      if ((await activations.fingerprint()) !== expected) throw otherOutputs(index);
    }
  } finally {
    await output.close();
  }
}

function otherOutputs(index: number): FewbitError {
  return new FewbitError(
    "RESUME",
    `block ${index + 1} of the unfinished run does not give what it gave then`,
    { hint: "fewbit or its kernels may have changed since; use --restart to start over" },
  );
}
