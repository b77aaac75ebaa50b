import { openUnfinishedCheckpoint } from "../formats/checkpoint.ts";
import type { Block, QuantizableModel } from "../nn/quantizable-model.ts";
import { joinPath, remove, sha256 } from "../platform/node.ts";
import { FinishedWeights } from "../run/output/finished-weights.ts";
import { openImages } from "../run/image-embeddings.ts";
import type { Quantization } from "../run/quantization.ts";
import { CheckpointWeights } from "../formats/checkpoint-weights.ts";
import { FewbitError } from "../util/errors.ts";
import { ActivationCache, type ActivationPlace } from "./activations.ts";
import type { FinishedBlocks } from "./finished-blocks.ts";
import { goesByExpert } from "./goes-by-expert.ts";
import { runByExpert } from "./stream-experts.ts";

/** What running a stream through a block takes. */
interface Advance {
  readonly model: QuantizableModel;
  readonly signal: AbortSignal | undefined;
  readonly report: (activity: string) => void;
}

/**
 * The residual stream in front of the block at work: out of the quantized blocks before it, and for
 * methods that train towards it also out of the original ones.
 */
export class ResidualStreams {
  readonly quantized: ActivationCache;
  readonly original: ActivationCache | null;
  private readonly quantization: Quantization;

  private constructor(
    quantization: Quantization,
    quantized: ActivationCache,
    original: ActivationCache | null,
  ) {
    this.quantization = quantization;
    this.quantized = quantized;
    this.original = original;
  }

  /** Embeds calibration windows, for the quantized model by the embedding that it will have. */
  static async embed(
    quantization: Quantization,
    windows: readonly Int32Array[],
    finished: FinishedBlocks,
  ): Promise<ResidualStreams> {
    const { opened, recipe, method, options } = quantization.job;
    const { model } = opened;
    const folder = recipe.cacheOnDisk ? activationFolder(quantization) : null;
    const given = await openImages(opened, recipe.calibration);
    const embed = (name: string): Promise<ActivationCache> => {
      const path = folder && joinPath(folder, name);
      const place: ActivationPlace = { dtype: recipe.cacheDType, path };
      return ActivationCache.embed(options.backend, model, windows, { place, given });
    };
    try {
      const original = method.needs.floatInputs ? await embed("original") : null;
      if (finished.records.ends.length > 0) {
        await withFinishedWeights(quantization, finished, async (weights) => {
          model.releaseEmbeddingAndHead();
          await model.loadEmbeddingAndHead(weights);
        });
      }
      return new ResidualStreams(quantization, await embed("quantized"), original);
    } finally {
      await given?.close();
    }
  }

  /** Runs the original's stream through a block that is not quantized yet. */
  async runOriginal(block: Block, { model, signal, report }: Advance): Promise<void> {
    if (!this.original) return;
    report("outputs of the original");
    await this.original.advance(model, block, signal);
  }

  /** Runs the quantized stream through a quantized block. Returns a fingerprint of both streams. */
  async runOn(block: Block, { model, signal, report }: Advance): Promise<string> {
    report("outputs");
    await this.quantized.advance(model, block, signal);
    return this.fingerprint();
  }

  /** The folder for activations on the disk; null where they are kept in memory. */
  get folder(): string | null {
    const { quantization } = this;
    return quantization.job.recipe.cacheOnDisk ? activationFolder(quantization) : null;
  }

  /**
   * Continues with what a block gave, which was run elsewhere, and releases that. Returns a
   * fingerprint.
   */
  async replace(outputs: ActivationCache, block: Block): Promise<string> {
    await this.quantized.replace(outputs, `the outputs of ${block.name}`);
    await outputs.release();
    return this.fingerprint();
  }

  /**
   * Runs the streams through the blocks that an interrupted run finished, as they are written (that
   * of the original through its own blocks), and checks that they give what they gave then. That
   * costs one pass through these blocks; keeping the activations on the disk instead would cost
   * every run several times their size in writes.
   * @throws FewbitError (code `RESUME`) when a block gives something else
   */
  async repeat(finished: FinishedBlocks): Promise<void> {
    const { opened, options, recipe } = this.quantization.job;
    const { model } = opened;
    const { outputs } = finished;
    if (outputs.length === 0 || outputs.length === model.blockCount) return;
    await withFinishedWeights(this.quantization, finished, async (weights, original) => {
      for (const [index, expected] of outputs.entries()) {
        const activity = `outputs of block ${index + 1}, again`;
        this.quantization.meter.report(outputs.length, activity);
        if (this.original) {
          const untouched = await model.loadBlock(index, original);
          await this.original.advance(model, untouched, options.signal);
          model.releaseBlock(untouched);
        }
        const isByExpert = goesByExpert(this.quantization.job, index);
        const block = await model.loadBlock(index, weights, isByExpert ? "none" : "all");
        block.kvCache = recipe.kvCache ?? block.kvCache;
        if (isByExpert) {
          const { folder } = this;
          const walk = { model, index, block, folder, source: weights, signal: options.signal };
          await this.replace(await runByExpert(this.quantized, walk), block);
        } else await this.quantized.advance(model, block, options.signal);
        model.releaseBlock(block);
        if ((await this.fingerprint()) !== expected) throw otherOutputs(index);
      }
    });
  }

  /** Gives memory and files back. */
  async release(): Promise<void> {
    await this.quantized.release();
    await this.original?.release();
    await remove(activationFolder(this.quantization));
  }

  /** Hashes some of both. */
  private async fingerprint(): Promise<string> {
    const quantized = await this.quantized.fingerprint();
    return this.original ? sha256(quantized + (await this.original.fingerprint())) : quantized;
  }
}

/**
 * Where activations lie that are kept on the disk; a run that is killed leaves it, and the next one
 * begins by removing it.
 */
function activationFolder({ run }: Quantization): string {
  return joinPath(run.folder.workPath, "activations");
}

/** Reads the weights that are written, and those of the original where none are. */
async function withFinishedWeights(
  { job }: Quantization,
  { written }: FinishedBlocks,
  use: (weights: FinishedWeights, original: CheckpointWeights) => Promise<void>,
): Promise<void> {
  const { backend } = job.options;
  const output = await openUnfinishedCheckpoint(written.folder);
  try {
    const original = new CheckpointWeights(backend, job.opened.checkpoint, "float32");
    await use(new FinishedWeights(backend, original, { ...written, output }), original);
  } finally {
    await output.close();
  }
}

function otherOutputs(index: number): FewbitError {
  return new FewbitError(
    "RESUME",
    `block ${index + 1} of the unfinished run does not give what it gave then`,
    { hint: "fewbit or its kernels may have changed since; use `resume: restart` to start over" },
  );
}
