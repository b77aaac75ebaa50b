import { formatJson } from "../formats/json-file.ts";
import { DecoderModel } from "../models/decoder.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { expectedTensors, storedForms } from "../models/decoder-tensors.ts";
import { TrainableModel } from "../nn/trainable-model.ts";
import { writeText } from "../platform/node.ts";
import { expectMemory } from "../run/expect-memory.ts";
import { asEvents, openOriginal } from "../run/open-original.ts";
import { type Run, runInFolder } from "../run/run.ts";
import { SourceFiles } from "../run/source-files.ts";
import { describeSetback } from "../run/training-record.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { choosePrecision } from "../training/choose-precision.ts";
import { nextTokenLoss } from "../training/next-token-loss.ts";
import type { Parameter } from "../training/parameter.ts";
import { TokenBatches } from "../training/token-batches.ts";
import { runTraining, type TrainingOutcome } from "../training/training-loop.ts";
import { describePretraining } from "./describe-pretraining.ts";
import { hashTexts, identifyPretraining } from "./identify-pretraining.ts";
import { prepareData, type TrainingData } from "./prepare-data.ts";
import type { PretrainJob, PretrainOptions } from "./pretrain-job.ts";
import { startModel } from "./start-model.ts";
import { StepMeter } from "./step-meter.ts";
import { parseTrainConfig, type TrainConfigInput } from "./pretrain-config.ts";
import type { TrainPlan } from "./pretrain-events.ts";
import { learningRateOf, optimizerOf, planPretraining, scheduleOf } from "./pretrain-plan.ts";
import type { TrainRecord } from "./pretrain-record.ts";
import { validationLoss } from "./validation-loss.ts";
import { writeTrainedModel } from "./write-trained-model.ts";

/**
 * Trains a float model as a configuration says, a new one or one that was trained before, and
 * writes it as a Hugging Face checkpoint. The output appears under its final name when it is whole.
 * The states of an interrupted run are kept beside it, and the next run of the same configuration
 * continues from the newest, to the same bytes.
 * @throws UsageError when the configuration cannot be carried out, the output is taken, or an
 * unfinished run to it is another one
 * @throws NumericError when the training diverges; its last good state is kept
 * @throws FewbitError of the kind that fits
 */
export async function pretrain(
  input: TrainConfigInput,
  options: PretrainOptions,
): Promise<TrainRecord> {
  const config = parseTrainConfig(input);
  const { backend, out, overwrite = false, resume = "auto" } = options;
  const precision = choosePrecision(config.precision, backend);
  const { from } = config;
  const opened = from ? await openOriginal(from, backend, asEvents(options)) : null;
  try {
    const sources = new SourceFiles();
    if (opened) await sources.addCheckpoint(opened.checkpoint);
    const noted = new SourceFiles();
    await noted.add([...config.data.files, ...(config.validation?.files ?? [])]);
    const texts = await hashTexts(config);
    const checkpoint = opened?.checkpoint ?? null;
    const identity = await identifyPretraining(config, texts, { checkpoint, precision }, backend);
    const inputs = [opened?.directory, config.tokenizer].filter((path) => typeof path === "string");
    const onSettled = (message: string): void => options.emit({ type: "notice", message });
    const place = { out, identity, overwrite, resume, inputs };
    const start = { ...place, sources, keepsWorkAtFault: true, onSettled };
    const job = { config, opened, texts, noted, precision, options };
    const record = await runInFolder(start, (run) => trainInFolder(job, run));
    options.emit({ type: "done", record });
    return record;
  } finally {
    await opened?.checkpoint.close();
  }
}

/** Trains in the folder of a run, and returns the record, which stands in the folder already. */
async function trainInFolder(job: PretrainJob, run: Run): Promise<TrainRecord> {
  const { config, opened, precision, options } = job;
  const { backend, signal, emit } = options;
  const data = await prepareData({
    config,
    workPath: run.folder.workPath,
    from: opened?.checkpoint.files ?? null,
    vocabularySize: opened?.config.vocabularySize ?? null,
    contextLength: opened?.config.contextLength ?? config.model?.max_position_embeddings ?? 0,
    report: (activity) => emit({ type: "preparing", activity }),
    signal,
  });
  await job.noted.expectUnchanged();
  const start = startModel(job, data);
  const plan = planPretraining(config, start.config, data, precision);
  emit({ type: "plan", plan });
  expectMemory(plan.memoryBytes, lessMemory);
  const bare = await DecoderModel.open(backend, start.config, start.weights);
  const model = await TrainableModel.load(bare, start.weights, signal);
  try {
    const progress = await trainSteps(job, run, { model, decoder: start.config, data, plan });
    const setback = describeSetback(progress);
    if (setback) emit({ type: "notice", message: setback });
    const sizeBytes = await writeTrainedModel(run.folder.workPath, {
      config: start.json,
      tokenizer: data.tokenizer,
      configText: (await opened?.checkpoint.files.text("config.json")) ?? null,
      expected: expectedTensors(start.config),
      tensors: model.tensors,
      forms: storedForms(start.config),
      dtype: config.dtype,
      others: opened ? [...opened.carried].map((name) => ({ ...opened, name })) : [],
    });
    const record = describePretraining(job, run, { plan, progress, sizeBytes });
    await writeText(run.folder.file("run.json"), formatJson(record));
    await writeText(run.folder.file("loss.svg"), options.drawLosses(record));
    return record;
  } finally {
    model.release();
  }
}

const lessMemory =
  "use fewer windows at once (`windowsAtOnce`), shorter windows, or recomputation (`recompute`)";

/** What the steps of a training work with. */
interface Training {
  readonly model: TrainableModel;
  readonly decoder: DecoderConfig;
  readonly data: TrainingData;
  readonly plan: TrainPlan;
}

/** Takes all steps, from the newest state that an interrupted run left. */
async function trainSteps(
  { config, precision, options }: PretrainJob,
  run: Run,
  { model, decoder, data, plan }: Training,
): Promise<TrainingOutcome> {
  const { batch: size, order } = config.data;
  const { accumulation, clip } = config.optimizer;
  const { recompute, windowsAtOnce } = { ...config, ...plan.fit };
  const { backend, signal, emit } = options;
  const { steps, checkpointEvery } = plan;
  const states = run.openStates();
  const earlier = await states.progress();
  if (run.earlier) {
    const { interruptedAt } = run.earlier;
    const step = earlier?.step ?? 0;
    await run.resumeAfter({ blocks: 0, steps: step });
    emit({ type: "resumed", step, steps, interruptedAt });
  }
  const parameters = parametersOf(model, decoder);
  const batches = new TokenBatches(data.windows, { size, order, seed: config.seed });
  const meter = new StepMeter(plan, learningRateOf(config), earlier);
  const { windows = 0, every = Math.ceil(steps / 10) } = config.validation ?? {};
  const { validation: held } = data;
  const measure = held && (() => validationLoss(backend, model, held, windows, signal));
  return runTraining({
    parameters,
    steps,
    accumulation,
    clip,
    schedule: scheduleOf(config),
    optimizer: optimizerOf(config),
    loss: (step, micro) => {
      const ids = batches.at(step * accumulation + micro);
      const { length } = batches;
      return nextTokenLoss(
        { model, recompute, windowsAtOnce },
        { ids, length },
        { parameters, precision },
      );
    },
    store: states,
    checkpointEvery,
    onStep: (report) => {
      run.clock.sampleMemory();
      emit(meter.count(report));
    },
    signal,
    validation: measure && { every, measure },
  });
}

/** Parameters in the order of the forward pass; matrices apart from norms and biases. */
function parametersOf({ tensors }: TrainableModel, decoder: DecoderConfig): Parameter[] {
  return [...expectedTensors(decoder)].map(([name, shape]) => ({
    name,
    value: tensors.get(name) as Tensor<"f32">,
    group: shape.length === 2 ? "matrices" : "rest",
  }));
}
