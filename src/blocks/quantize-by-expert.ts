import type { Block } from "../nn/quantizable-model.ts";
import type { BlockJob } from "./block-job.ts";
import { quantizeLinears } from "./quantize-linears.ts";
import { forEachExpert, runByExpert } from "./stream-experts.ts";

/**
 * Quantizes the experts of a block that was loaded without them, one in memory at a time, and runs
 * the quantized stream through the block. The second moments of one expert are there at a time, too.
 * @returns a fingerprint of the stream; null without calibration text, and behind the last block
 */
export async function quantizeByExpert(
  block: Block,
  job: BlockJob,
  isLast: boolean,
): Promise<string | null> {
  const { streams, model, index, signal } = job;
  const walk = { model, index, block, folder: streams?.folder ?? null, signal };
  if (!streams) {
    await forEachExpert(walk, (expert) => quantizeLinears(expert, job));
    return null;
  }
  const outputs = await runByExpert(streams.quantized, walk, (expert, inputs) =>
    quantizeLinears(expert, job, inputs),
  );
  if (!isLast) return streams.replace(outputs, block);
  await outputs.release();
  return null;
}
