import { formatJson, type JsonRecord } from "../formats/json-file.ts";
import type { ResumableOutput } from "../run/output/resumable-output.ts";
import { DecoderModel } from "../models/decoder.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { expectedTensors } from "../models/decoder-weights.ts";
import { TrainableModel } from "../nn/trainable-model.ts";
import type { WeightSource } from "../nn/weight-source.ts";
import { describeMachine, memoryUsage, writeText } from "../platform/node.ts";
import { CheckpointWeights } from "../runtime/checkpoint-weights.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { nextTokenLoss } from "../training/differentiate.ts";
import type { Parameter } from "../training/parameter.ts";
import { TokenBatches } from "../training/token-batches.ts";
import { train } from "../training/train.ts";
import type { TrainingProgress } from "../training/training-store.ts";
import { UsageError } from "../util/errors.ts";
import { version } from "../util/version.ts";
import { lastChange } from "../run/resume.ts";
import type { TrainingFiles } from "../run/training-states.ts";
import { InitialWeights } from "./initial-weights.ts";
import { prepareData, type TrainingData } from "./prepare-data.ts";
import { decoderConfigOf, type ModelShape, modelJson } from "./train-config.ts";
import { expectTrainingMemory } from "./train-estimate.ts";
import type { TrainPlan } from "./train-events.ts";
import { StepMeter, thinOut } from "./step-meter.ts";
import type { TrainJob } from "./train-job.ts";
import { learningRateOf, optimizerOf, planTraining, scheduleOf } from "./train-plan.ts";
import type { TrainRecord } from "./train-record.ts";
import { openSession, type TrainSession } from "./train-session.ts";
import { validationLoss } from "./validation-loss.ts";
import { writeTrainedModel } from "./write-trained-model.ts";

/** A model before its first step. */
interface StartModel {
  /** Its `config.json`. */
  readonly json: JsonRecord;
  readonly config: DecoderConfig;
  readonly weights: WeightSource;
}

/** One training in its working directory. */
export class TrainRun {
  private readonly job: TrainJob;
  private readonly folder: ResumableOutput;
  private readonly files: TrainingFiles;

  constructor(job: TrainJob, folder: ResumableOutput, files: TrainingFiles) {
    this.job = job;
    this.folder = folder;
    this.files = files;
  }

  /** Does all the work, and returns its record, which stands in the directory already. */
  async work(): Promise<TrainRecord> {
    const { config, opened, precision, options } = this.job;
    const data = await prepareData({
      config,
      workPath: this.folder.workPath,
      from: opened?.directory ?? null,
      contextLength: opened?.config.contextLength ?? contextOf(config.model),
      report: (activity) => options.emit({ type: "preparing", activity }),
      signal: options.signal,
    });
    const start = this.startOf(data);
    const plan = planTraining(config, start.config, data, precision);
    options.emit({ type: "plan", plan });
    expectTrainingMemory(plan.memoryBytes);
    const session = await this.openSession(plan);
    const bare = await DecoderModel.open(options.backend, start.config, start.weights);
    const model = await TrainableModel.load(bare, start.weights, options.signal);
    try {
      const progress = await this.train(model, start.config, data, plan);
      return await this.write(model, start, data, { plan, progress, session });
    } finally {
      model.release();
    }
  }

  private startOf({ tokenizer }: TrainingData): StartModel {
    const { config, opened, options } = this.job;
    const { backend } = options;
    if (opened) {
      const weights = new CheckpointWeights(backend, opened.checkpoint, "float32");
      return { json: opened.checkpoint.config, config: opened.config, weights };
    }
    const shape = config.model as ModelShape;
    const vocabularySize = this.vocabularyOf(shape, tokenizer.vocabularySize);
    const decoder = decoderConfigOf(shape, vocabularySize);
    const deviation = shape.initializer_range;
    return {
      json: modelJson(shape, vocabularySize),
      config: decoder,
      weights: new InitialWeights(backend, decoder, config.seed, deviation),
    };
  }

  /** @throws UsageError when the tokenizer has more tokens than the model */
  private vocabularyOf({ vocab_size: asked }: ModelShape, tokens: number): number {
    const { config, options } = this.job;
    if (asked === undefined || asked === tokens) return tokens;
    if (typeof config.tokenizer === "string") {
      if (tokens < asked) return asked;
      throw new UsageError(`the tokenizer has ${tokens} tokens, more than the model's ${asked}`, {
        hint: "leave out model.vocab_size, or give at least as many",
      });
    }
    const message = `the text gave a tokenizer of ${tokens} tokens, not ${asked}: the model has as many`;
    options.emit({ type: "notice", message });
    return tokens;
  }

  private async openSession({ steps }: TrainPlan): Promise<TrainSession> {
    const { folder, files } = this;
    const earlier = await files.progress();
    if (!earlier) return openSession(folder.journalPath, null);
    const { step } = earlier;
    const interruptedAt = await lastChange(folder);
    this.job.options.emit({ type: "resumed", step, steps, interruptedAt });
    const resumedAt = new Date().toISOString();
    return openSession(folder.journalPath, { interruptedAt, resumedAt, step });
  }

  private async train(
    model: TrainableModel,
    decoder: DecoderConfig,
    data: TrainingData,
    plan: TrainPlan,
  ): Promise<TrainingProgress> {
    const { config, precision, options } = this.job;
    const { batch: size, order } = config.data;
    const { accumulation, clip } = config.optimizer;
    const { signal, emit } = options;
    const parameters = parametersOf(model, decoder);
    const batches = new TokenBatches(data.windows, { size, order, seed: config.seed });
    const pass = { recompute: config.recompute };
    const meter = new StepMeter(plan, learningRateOf(config));
    return train({
      parameters,
      steps: plan.steps,
      accumulation,
      clip,
      schedule: scheduleOf(config),
      optimizer: optimizerOf(config),
      loss: (step, micro) => {
        const ids = batches.at(step * accumulation + micro);
        const { length } = batches;
        return nextTokenLoss(parameters, precision, { ids, length }, (x) => model.forward(x, pass));
      },
      store: this.files,
      checkpointEvery: plan.checkpointEvery,
      onStep: (report) => emit(meter.count(report)),
      ...(signal ? { signal } : {}),
      ...this.validationOf(model, data, plan),
    });
  }

  private validationOf(model: TrainableModel, { validation }: TrainingData, { steps }: TrainPlan) {
    const { config, options } = this.job;
    if (!validation || !config.validation) return {};
    const { every = Math.ceil(steps / 10), windows } = config.validation;
    const measure = () =>
      validationLoss(options.backend, model, validation, windows, options.signal);
    return { validation: { every, measure } };
  }

  private async write(
    model: TrainableModel,
    start: StartModel,
    data: TrainingData,
    done: {
      readonly plan: TrainPlan;
      readonly progress: TrainingProgress;
      readonly session: TrainSession;
    },
  ): Promise<TrainRecord> {
    const { config, options } = this.job;
    const { workPath } = this.folder;
    const sizeBytes = await writeTrainedModel(workPath, {
      config: start.json,
      tokenizer: data.tokenizer,
      expected: expectedTensors(start.config),
      tensors: model.tensors,
      dtype: config.dtype,
    });
    const record = this.record(done, sizeBytes);
    await writeText(this.folder.file("run.json"), formatJson(record));
    await writeText(this.folder.file("loss.svg"), options.drawLosses(record));
    return record;
  }

  private record(
    {
      plan,
      progress,
      session,
    }: {
      readonly plan: TrainPlan;
      readonly progress: TrainingProgress;
      readonly session: TrainSession;
    },
    sizeBytes: number,
  ): TrainRecord {
    const { config, opened, texts, precision, options } = this.job;
    const { id, level, threads } = options.backend;
    const { steps, tokensPerStep, parameters, textTokens } = plan;
    const { elapsedMs, losses, validations } = progress;
    const trainedTokens = steps * tokensPerStep;
    return {
      fewbit: version,
      kind: "train",
      config,
      origin: opened?.origin ?? null,
      backend: { id, level, threads },
      precision,
      machine: describeMachine(),
      ...session,
      elapsedMs,
      peakMemoryBytes: memoryUsage().peakResidentBytes,
      texts,
      textTokens,
      trainedTokens,
      parameters,
      steps,
      tokensPerSecond: (1000 * trainedTokens) / elapsedMs,
      losses: thinOut(losses),
      validations,
      sizeBytes,
    };
  }
}

/** Context of a new model. */
function contextOf(model: ModelShape | undefined): number {
  return model?.max_position_embeddings ?? 0;
}

/** Parameters in the order of the forward pass; matrices apart from norms and biases. */
function parametersOf({ tensors }: TrainableModel, decoder: DecoderConfig): Parameter[] {
  return [...expectedTensors(decoder)].map(([name, shape]) => ({
    name,
    value: tensors.get(name) as Tensor<"f32">,
    group: shape.length === 2 ? "matrices" : "rest",
  }));
}
