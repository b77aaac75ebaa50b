import type { RotationLearning } from "../methods/define-method.ts";
import { keepsOnes } from "../models/decoder-rotation.ts";
import { CheckpointWeights } from "../formats/checkpoint-weights.ts";
import type { FoldedRotation, ModelRotation } from "../nn/model-rotation.ts";
import { TrainableModel } from "../nn/trainable-model.ts";
import { transformsOf } from "../recipe/recipe.ts";
import type { Quantization } from "../run/quantization.ts";
import { stepReporter, tokensPerStep } from "../run/report-steps.ts";
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
  const { opened, recipe, plan, options } = quantization.job;
  const { rotation, model } = opened;
  const learner = transformsOf(recipe).find(({ method }) => method.learnRotation);
  const start = rotation?.current;
  if (!learner?.method.learnRotation || !rotation || !start || !windows) return null;
  rotation.current = null;
  try {
    const problem = await problemOf(quantization, rotation, start);
    const own = { options: learner.options, windows };
    const learned = await learner.method.learnRotation({ ...problem, ...own });
    rotation.current = learned.rotation;
    const record = describeTraining(learned.progress, tokensPerStep(plan.learning));
    if (record.setback !== undefined) options.emit({ type: "notice", message: record.setback });
    return record;
  } finally {
    model.releaseEmbeddingAndHead();
    await model.loadEmbeddingAndHead();
  }
}

type Problem = Omit<RotationLearning<unknown>, "options" | "windows">;

async function problemOf(
  { job, run, meter }: Quantization,
  { tensors }: FoldedRotation,
  start: ModelRotation,
): Promise<Problem> {
  const { opened, recipe, plan, options } = job;
  const { model, config, checkpoint } = opened;
  const { backend, signal } = options;
  const schemes = new Map(plan.linears.map(({ module, scheme }) => [module, scheme]));
  const store = run.openStates();
  return {
    hiddenSize: config.hiddenSize,
    headDim: config.headDim,
    keepsOnes: keepsOnes(config),
    seed: recipe.seed,
    start,
    tensors,
    backend,
    blocks: model.blockCount,
    load: () =>
      TrainableModel.load(model, new CheckpointWeights(backend, checkpoint, "float32"), signal),
    schemeOf: (module) => schemes.get(module) ?? null,
    store,
    onStep: stepReporter({ job, run }, plan.learning, await store.progress()),
    report: (activity) => meter.report(0, `rotations: ${activity}`),
    signal,
  };
}
