import type { Backend } from "../backend/backend.ts";
import { openUnfinishedCheckpoint } from "../formats/checkpoint.ts";
import { CheckpointWeights } from "../runtime/checkpoint-weights.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { FewbitError } from "../util/errors.ts";
import { FinishedWeights } from "../run/output/finished-weights.ts";
import type { Prefixes, Written } from "./prefixes.ts";

/** Finished blocks whose outputs are wanted again. */
export interface Repetition {
  readonly opened: OpenedModel;
  readonly backend: Backend;
  readonly written: Written;
  /** Fingerprint of what each block gave, in order. */
  readonly outputs: readonly (string | null)[];
  /** Inputs of the first block; outputs of the last one afterwards. */
  readonly prefixes: Prefixes;
  readonly signal?: AbortSignal | undefined;
  readonly onBlock: (index: number) => void;
}

/**
 * Runs the activations through finished blocks, as they are written (those of the original model
 * through its own), and checks that they give what they gave in the run that was interrupted. That
 * costs one pass through these blocks; keeping the activations on the disk instead would cost every
 * run several times their size in writes.
 * @throws FewbitError (code `RESUME`) when a block gives something else
 */
export async function repeatBlocks(repetition: Repetition): Promise<void> {
  const { opened, backend, written, outputs, prefixes, signal, onBlock } = repetition;
  if (outputs.length === 0) return;
  const { model, checkpoint } = opened;
  const output = await openUnfinishedCheckpoint(written.folder);
  try {
    const original = new CheckpointWeights(backend, checkpoint, "float32");
    const source = new FinishedWeights(backend, original, { ...written, output });
    for (const [index, expected] of outputs.entries()) {
      onBlock(index);
      if (prefixes.original) {
        const untouched = await model.loadBlock(index, original);
        await prefixes.original.advance(model, untouched, signal);
        model.releaseBlock(untouched);
      }
      const block = await model.loadBlock(index, source);
      await prefixes.quantized.advance(model, block, signal);
      model.releaseBlock(block);
      if ((await prefixes.fingerprint()) !== expected) throw otherOutputs(index);
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
