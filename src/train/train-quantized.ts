import type { TrainingText } from "../calibration/training-text.ts";
import type { Method, TrainedModel } from "../methods/define-method.ts";
import { TrainableModel } from "../nn/trainable-model.ts";
import { outputEntries, type QuantizedOutput } from "../run/output/quantized-output.ts";
import type { Quantization } from "../run/quantization.ts";
import { writtenWindows } from "../run/written-windows.ts";
import type { QuantizationJob } from "../run/quantization-job.ts";
import type { LinearRecord, RunRecord } from "../run/run-record.ts";
import { stepReporter, tokensPerStep } from "../run/report-steps.ts";
import { describeTraining } from "../run/training-record.ts";
import type { TrainingStates } from "../run/training-states.ts";
import { CheckpointWeights } from "../formats/checkpoint-weights.ts";
import { type OpenedModel, openModel } from "../runtime/load.ts";
import { UsageError } from "../util/errors.ts";
import { trainableWeights } from "./trainable-weights.ts";
import { writeLinears, writeTensors } from "./write-quantized.ts";

/**
 * Quantizes a model, or finishes a quantized one, by a method that trains the whole model at once.
 * What an interrupted run keeps is the state of its training; the model itself is written when that
 * is over.
 */
export function trainQuantized(
  quantization: Quantization,
  text: TrainingText | null,
): Promise<RunRecord> {
  const { job, run } = quantization;
  const { opened, plan, method } = job;
  const entries = outputEntries(opened.checkpoint, [...plan.linears, ...plan.ends]);
  return quantization.writeCheckpoint(entries, async (output) => {
    const states = run.openStates();
    const { step: steps = 0 } = (await states.progress()) ?? {};
    await quantization.resumeAfter({ blocks: 0, steps }, 0);
    const windows = text?.windows ?? (await writtenWindows(quantization));
    if (!windows) throw new UsageError(`${method.title} needs text, and none was given`);
    const targets = text?.targets ?? null;
    const { trained, linears } = await train(quantization, { windows, targets }, states, output);
    const training = describeTraining(trained.progress, tokensPerStep(plan.training));
    const { setback } = training;
    if (setback !== undefined) job.options.emit({ type: "notice", message: setback });
    const tokens = windows.length * (windows[0]?.length ?? 0);
    return { transforms: [], linears, blocks: [], ends: [], training, tokens };
  });
}

/** Loads the model and trains it, then writes what it has become. */
async function train(
  quantization: Quantization,
  text: Pick<TrainingText, "windows" | "targets">,
  store: TrainingStates,
  output: QuantizedOutput,
): Promise<{ trained: TrainedModel; linears: LinearRecord[] }> {
  const { job, meter } = quantization;
  const { opened, recipe, method, plan, options } = job;
  const { signal } = options;
  const report = (activity: string): void => meter.report(0, activity);
  report("weights");
  const source = trainableWeights(opened, options.backend);
  const model = await TrainableModel.load(opened.model, source, signal);
  for (const block of model.blocks) block.kvCache = recipe.kvCache ?? block.kvCache;
  const schemes = new Map(plan.linears.map(({ module, scheme }) => [module, scheme]));
  let teacher: LoadedTeacher | null = null;
  try {
    if (method.usesTeacher?.(recipe.options)) teacher = await loadTeacher(job);
    const trained = await trainerOf(method)({
      model,
      teacher: teacher?.model ?? null,
      schemeOf: (module) => schemes.get(module) ?? null,
      ...text,
      options: recipe.options,
      seed: recipe.seed,
      store,
      onStep: stepReporter(quantization, plan.training, await store.progress()),
      report,
      signal,
    });
    await writeTensors(trained, opened, output);
    return { trained, linears: await writeLinears(trained, quantization, output) };
  } finally {
    model.release();
    teacher?.model.release();
    await teacher?.opened.checkpoint.close();
  }
}

interface LoadedTeacher {
  readonly model: TrainableModel;
  readonly opened: OpenedModel;
}

/** Loads the model to learn from, which is never changed, as it is stored. */
async function loadTeacher({ opened, recipe, options }: QuantizationJob): Promise<LoadedTeacher> {
  const { backend, signal, emit } = options;
  const onNotice = (message: string): void => emit({ type: "notice", message });
  const teacher = await openModel(recipe.teacher ?? opened.directory, {
    backend,
    ...(recipe.teacher !== null && { onNotice }),
  });
  const source = new CheckpointWeights(backend, teacher.checkpoint, "stored");
  return { model: await TrainableModel.load(teacher.model, source, signal), opened: teacher };
}

type Trainer = NonNullable<Method["trainModel"]>;

function trainerOf({ trainModel, title }: Method): Trainer {
  if (trainModel) return trainModel;
  throw new UsageError(`${title} does not train whole models`);
}
