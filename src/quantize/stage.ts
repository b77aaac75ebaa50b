import { quantizeBlocks } from "../blocks/quantize-blocks.ts";
import { expectMemory } from "../run/expect-memory.ts";
import { readWindows } from "../run/collect-windows.ts";
import { Quantization } from "../run/quantization.ts";
import type { QuantizationJob } from "../run/quantization-job.ts";
import { runInFolder } from "../run/run.ts";
import type { RunRecord } from "../run/run-record.ts";
import { trainQuantized } from "../train/train-quantized.ts";
import { expectDisk } from "./make-plan.ts";

/**
 * Runs one method of a recipe: block by block, or by training the whole model. What an interrupted
 * run has done of it is taken over.
 */
export function runStage(job: QuantizationJob): Promise<RunRecord> {
  const { opened, recipe, method, plan, identity, options } = job;
  const { overwrite = false, resume = "auto", emit } = options;
  const trains = method.trainModel !== undefined;
  const start = {
    out: recipe.out,
    identity,
    overwrite,
    resume,
    inputs: [opened.directory],
    needBytes: () => expectDisk(plan, recipe.out),
    sources: job.sources.models,
    keepsWorkAtFault: trains,
    onSettled: (message: string) => emit({ type: "notice", message }),
  };
  return runInFolder(start, async (run) => {
    const text = await readWindows(opened, recipe, trains, options.sharedFolder);
    await job.sources.texts.expectUnchanged();
    emit({ type: "plan", plan });
    const notices = [...plan.cautions, ...(text?.notice ? [text.notice] : [])];
    for (const message of notices) emit({ type: "notice", message });
    expectMemory(
      plan.estimate.memoryBytes,
      lessMemory[trains || plan.learning ? "training" : "blocks"],
    );
    const quantization = new Quantization(job, run);
    return trains ? trainQuantized(quantization, text) : quantizeBlocks(quantization, text);
  });
}

const lessMemory = {
  blocks: "use fewer or shorter calibration windows (`samples`, `window`), or `cacheOnDisk`",
  training:
    "go through a micro-batch in parts (`windowsAtOnce: 1`), compute blocks again (`recompute`), " +
    "or use shorter windows (`window`)",
};
