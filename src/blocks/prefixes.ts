import type { Backend } from "../backend/backend.ts";
import { openUnfinishedCheckpoint } from "../formats/checkpoint.ts";
import { joinPath, sha256 } from "../platform/node.ts";
import { CheckpointWeights } from "../runtime/checkpoint-weights.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { ActivationCache, type ActivationPlace } from "./activations.ts";
import { type FinishedTensors, FinishedWeights } from "../run/output/finished-weights.ts";

/** The part of an output that is written, in `folder`. */
export type Written = Omit<FinishedTensors, "output"> & { readonly folder: string };

/** What embedding calibration windows needs to know of a run. */
export interface PrefixJob {
  readonly opened: OpenedModel;
  readonly backend: Backend;
  readonly windows: readonly Int32Array[];
  /** Whether the activations of the original model are wanted too. */
  readonly floatInputs: boolean;
  readonly dtype: ActivationPlace["dtype"];
  /** Folder for activations on the disk; null keeps them in memory. */
  readonly folder: string | null;
  /** The output under way, when the embedding in it is not that of the original; otherwise null. */
  readonly written: Written | null;
}

/**
 * The residual stream in front of the block at work: out of the quantized blocks before it, and for
 * methods that train towards it also out of the original ones.
 */
export class Prefixes {
  readonly quantized: ActivationCache;
  readonly original: ActivationCache | null;

  private constructor(quantized: ActivationCache, original: ActivationCache | null) {
    this.quantized = quantized;
    this.original = original;
  }

  /** Embeds calibration windows, for the quantized model by the embedding that it will have. */
  static async embed(job: PrefixJob): Promise<Prefixes> {
    const { opened, backend, windows, written } = job;
    const { model } = opened;
    const place = (name: string): ActivationPlace => ({
      dtype: job.dtype,
      path: job.folder === null ? null : joinPath(job.folder, name),
    });
    const embed = (name: string): Promise<ActivationCache> =>
      ActivationCache.embed(backend, model, windows, place(name));
    const original = job.floatInputs ? await embed("original") : null;
    if (written) await loadWrittenEmbeddingAndHead(opened, backend, written);
    return new Prefixes(await embed("quantized"), original);
  }

  /** Hashes a part of both. */
  async fingerprint(): Promise<string> {
    const quantized = await this.quantized.fingerprint();
    return this.original ? sha256(quantized + (await this.original.fingerprint())) : quantized;
  }

  /** Gives memory and files back. */
  async release(): Promise<void> {
    await this.quantized.release();
    await this.original?.release();
  }
}

async function loadWrittenEmbeddingAndHead(
  { model, checkpoint }: OpenedModel,
  backend: Backend,
  written: Written,
): Promise<void> {
  const output = await openUnfinishedCheckpoint(written.folder);
  try {
    const original = new CheckpointWeights(backend, checkpoint, "float32");
    model.releaseEmbeddingAndHead();
    await model.loadEmbeddingAndHead(
      new FinishedWeights(backend, original, { ...written, output }),
    );
  } finally {
    await output.close();
  }
}
