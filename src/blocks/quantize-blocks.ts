import type { TrainingText } from "../calibration/training-text.ts";
import type { Block } from "../nn/quantizable-model.ts";
import { monotonicMs } from "../platform/node.ts";
import { outputEntries } from "../run/output/quantized-output.ts";
import type { Quantization } from "../run/quantization.ts";
import { writtenWindows } from "../run/written-windows.ts";
import type { RunRecord } from "../run/run-record.ts";
import { throwIfCancelled } from "../util/errors.ts";
import { BlockJob } from "./block-job.ts";
import { quantizeEmbeddingAndHead } from "./embedding-and-head.ts";
import { FinishedBlocks } from "./finished-blocks.ts";
import { learnRotation } from "./learn-rotation.ts";
import { measureSensitivities } from "./measure-sensitivities.ts";
import { quantizeLinears } from "./quantize-linears.ts";
import { quantizeWholeBlock } from "./quantize-whole-block.ts";
import { quantizeByExpert } from "./quantize-by-expert.ts";
import { ResidualStreams } from "./residual-streams.ts";
import { changedTensors } from "./scale-groups.ts";
import type { Sensitivities } from "./sensitivities.ts";
import { transformBlock } from "./transform-block.ts";

/** Runs the streams through a block, whose experts are quantized on the way if they come singly. */
async function runOn(block: Block, job: BlockJob, isLast: boolean): Promise<string | null> {
  const { streams, isByExpert } = job;
  if (isByExpert) return quantizeByExpert(block, job, isLast);
  return streams && !isLast ? streams.runOn(block, job) : null;
}

/**
 * Quantizes a model block by block, given the calibration windows that were read from files. The
 * memory is that of one block, the activations and the largest layer's statistics. Blocks that an
 * interrupted run finished are taken over: only the activations go through them again.
 */
export function quantizeBlocks(
  quantization: Quantization,
  text: Pick<TrainingText, "windows"> | null,
): Promise<RunRecord> {
  const { plan, recipe, method, opened, options } = quantization.job;
  const { checkpoint, model } = opened;
  const { signal, emit } = options;
  const { blockCount } = model;
  const changed = changedTensors(model, checkpoint, plan.linears, method, recipe);
  const kept = { changed, keepPacked: true };
  const entries = outputEntries(checkpoint, [...plan.linears, ...plan.ends], kept);
  return quantization.writeCheckpoint(entries, async (output) => {
    const finished = await FinishedBlocks.takeOver(quantization, output);
    const windows = text?.windows ?? (await writtenWindows(quantization));
    const training = await learnRotation(quantization, windows);
    let sensitivities: Sensitivities | null = null;
    let streams: ResidualStreams | null = null;
    try {
      sensitivities =
        windows && (await measureSensitivities(quantization, windows, finished.count));
      await quantizeEmbeddingAndHead(quantization, output, finished);
      streams = windows && (await ResidualStreams.embed(quantization, windows, finished));
      model.releaseEmbeddingAndHead();
      await streams?.repeat(finished);
      quantization.meter.beginBlocks();
      for (let index = finished.count; index < blockCount; index++) {
        throwIfCancelled(signal);
        const startedMs = monotonicMs();
        const job = new BlockJob(index, quantization, output, { streams, sensitivities });
        job.report("weights");
        const block = await model.loadBlock(index, undefined, job.isByExpert ? "none" : "all");
        await streams?.runOriginal(block, job);
        block.kvCache = recipe.kvCache ?? block.kvCache;
        await job.weighTokens(block);
        const transforms = await transformBlock(block, job);
        const blocks =
          method.quantizeBlock && streams ? [await quantizeWholeBlock(block, job)] : [];
        if (blocks.length === 0) await quantizeLinears(block, job);
        const outputs = await runOn(block, job, index + 1 === blockCount);
        model.releaseBlock(block);
        job.factors?.release();
        await finished.add(index, { transforms, linears: job.linears, blocks, outputs });
        emit({
          type: "block",
          block: index,
          blocks: blockCount,
          elapsedMs: monotonicMs() - startedMs,
        });
      }
      const tokens = streams?.quantized.tokens ?? null;
      return { ...finished.records, ...(training && { training }), tokens };
    } finally {
      await streams?.release();
      await sensitivities?.release();
    }
  });
}
