import { keepsOnes } from "../models/decoder-rotation.ts";
import { CheckpointWeights } from "../formats/checkpoint-weights.ts";
import type { ModelRotation } from "../nn/model-rotation.ts";
import { TrainableModel } from "../nn/trainable-model.ts";
import { transformsOf } from "../recipe/recipe.ts";
import type { Quantization } from "../run/quantization.ts";
import { stepReporter } from "../run/report-steps.ts";
import { describeTraining, type TrainingRecord } from "../run/training-record.ts";

/**
 * Learns the rotation of the model where a transform of the recipe does, on the calibration windows,
 * and sets it: weights that are read from then on are turned by it. States of the learning lie in the
 * journal of the run; a run that is resumed has the rotation of the last one. Returns what the
 * learning was; null where nothing is learned.
 * @throws NumericError CancelledError as the transform does
 */
export async function learnRotation(
  quantization: Quantization,
  windows: readonly Int32Array[] | null,
): Promise<TrainingRecord | null> {
  const { opened, recipe, plan, options: run } = quantization.job;
  const { rotation, model, config, checkpoint } = opened;
  const { method, options } = transformsOf(recipe).find(({ method: of }) => of.learnRotation) ?? {};
  if (!method?.learnRotation || !rotation?.current || !windows || !plan.learning) return null;
  const { backend, signal } = run;
  const start: ModelRotation = rotation.current;
  const schemes = new Map(plan.linears.map(({ module, scheme }) => [module, scheme]));
  const store = quantization.run.openStates();
  const report = (activity: string): void => quantization.meter.report(0, `rotations: ${activity}`);
  rotation.current = null;
  try {
    const learned = await method.learnRotation({
      hiddenSize: config.hiddenSize,
      headDim: config.headDim,
      keepsOnes: keepsOnes(config),
      seed: recipe.seed,
      options: options ?? {},
      start,
      tensors: rotation.tensors,
      backend,
      blocks: model.blockCount,
      load: () => {
        const weights = new CheckpointWeights(backend, checkpoint, "float32");
        return TrainableModel.load(model, weights, signal);
      },
      schemeOf: (module) => schemes.get(module) ?? null,
      windows,
      store,
      onStep: stepReporter(quantization, plan.learning, await store.progress()),
      report,
      signal,
    });
    rotation.current = learned.rotation;
    const record = describeTraining(learned.progress, plan.learning.microBatchTokens);
    if (record.setback !== undefined) run.emit({ type: "notice", message: record.setback });
    return record;
  } finally {
    model.releaseEmbeddingAndHead();
    await model.loadEmbeddingAndHead();
  }
}
