import type { TrainingText } from "../calibration/training-text.ts";
import type { ResumableOutput } from "../formats/resumable-output.ts";
import type { Method, TrainedModel } from "../methods/define-method.ts";
import { TrainableModel } from "../nn/trainable-model.ts";
import { joinPath, monotonicMs } from "../platform/node.ts";
import { QTensor } from "../quant/q-tensor.ts";
import type { Scheme } from "../quant/scheme.ts";
import { CheckpointWeights } from "../runtime/checkpoint-weights.ts";
import { type OpenedModel, openModel } from "../runtime/load.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { StepReport } from "../training/train.ts";
import type { TrainingStore } from "../training/training-store.ts";
import { UsageError } from "../util/errors.ts";
import { Journal } from "./journal.ts";
import { sampleKeptWindows } from "./kept-windows.ts";
import { LayerError } from "./layer-error.ts";
import { makeRecord } from "./make-record.ts";
import type { PlannedLinear } from "./plan.ts";
import { ProgressMeter } from "./progress.ts";
import { outputEntries, QuantizedOutput } from "./quantized-output.ts";
import { trainableWeights } from "./trainable-weights.ts";
import type { EarlierWork } from "./resume.ts";
import type { RunJob } from "./run.ts";
import type { LinearRecord, Resumption, RunRecord } from "./run-record.ts";
import { TrainingFiles } from "./training-files.ts";
import { describeTraining, TrainingPace } from "./training-record.ts";

/**
 * A run whose method trains the whole model at once, instead of going block by block. What an interrupted run keeps is the
 * state of its training; the model itself is written when that is over.
 */
export class TrainModelRun {
  /** Whether something is finished that a later run need not do again. */
  hasFinishedWork = false;
  private readonly job: RunJob;
  private readonly folder: ResumableOutput;
  private readonly earlier: EarlierWork | null;
  private readonly meter: ProgressMeter;
  private readonly startedAt: string;
  private readonly resumptions: Resumption[];

  constructor(job: RunJob, folder: ResumableOutput, earlier: EarlierWork | null) {
    this.job = job;
    this.folder = folder;
    this.earlier = earlier;
    this.startedAt = earlier?.startedAt ?? new Date().toISOString();
    this.resumptions = [...(earlier?.resumptions ?? [])];
    this.meter = new ProgressMeter(job.options.emit, job.plan.blocks, job.plan.quantizedWeights);
  }

  /** Does all the work, given the windows of text that were read from files. */
  async work(text: TrainingText | null): Promise<RunRecord> {
    const { opened, plan, identity, recipe, options, earlierStage } = this.job;
    const { workPath, journalPath } = this.folder;
    const { earlier, startedAt } = this;
    const entries = outputEntries(opened.checkpoint, [...plan.linears, ...plan.ends]);
    const output = await (earlier
      ? QuantizedOutput.reopen(opened.checkpoint, workPath, entries)
      : QuantizedOutput.create(opened.checkpoint, workPath, entries));
    const journal = await (earlier
      ? Journal.reopen(journalPath, earlier.contents)
      : Journal.create(journalPath, { startedAt, identity }));
    try {
      const store = this.openStore(journal);
      await this.goOn(journal, store);
      const windows = text?.windows ?? (await this.sample(journal));
      if (!windows) throw new UsageError(`${this.job.method.title} needs text, and none was given`);
      const { trained, linears } = await this.train(windows, text?.targets ?? null, store, output);
      await output.copyRest(options.signal);
      await output.finish(earlierStage?.recipe ?? recipe);
      const record = await this.describe(trained, linears, windows);
      await output.writeDocument("run.json", record);
      return record;
    } catch (error) {
      await output.close();
      throw error;
    } finally {
      await journal.close();
    }
  }

  /** States of the training; each gets a line in the journal once it is safe. */
  private openStore(journal: Journal): TrainingStore & Pick<TrainingFiles, "progress"> {
    const { journalPath } = this.folder;
    const files = new TrainingFiles(joinPath(journalPath, "training"), this.job.identity);
    return {
      read: (tensors) => files.read(tensors),
      progress: () => files.progress(),
      write: async (progress, tensors) => {
        await files.write(progress, tensors);
        await journal.append({ type: "state", step: progress.step, effort: this.meter.effort });
        this.hasFinishedWork = true;
      },
    };
  }

  private async goOn(journal: Journal, store: Pick<TrainingFiles, "progress">): Promise<void> {
    const { earlier, meter } = this;
    if (!earlier) return;
    const steps = (await store.progress())?.step ?? 0;
    this.hasFinishedWork = steps + earlier.windows.length > 0;
    meter.goOn(0, earlier.effort);
    const { interruptedAt } = earlier;
    const { effort } = meter;
    const resumption = { interruptedAt, resumedAt: effort.at, blocks: 0, steps };
    this.resumptions.push(resumption);
    await journal.append({ type: "resumed", ...resumption, effort });
    this.job.options.emit({
      type: "resumed",
      finishedBlocks: 0,
      blocks: this.job.plan.blocks,
      finishedSteps: steps,
      finishedWindows: earlier.windows.length,
      interruptedAt,
    });
  }

  private sample(journal: Journal): Promise<readonly Int32Array[] | null> {
    const { earlier, meter } = this;
    const onKept = (): void => {
      this.hasFinishedWork = true;
    };
    return sampleKeptWindows(this.job, { journal, meter, earlier, onKept });
  }

  /** Loads the model and trains it, then writes what came of it. */
  private async train(
    windows: readonly Int32Array[],
    targets: TrainingText["targets"],
    store: TrainingStore,
    output: QuantizedOutput,
  ): Promise<{ trained: TrainedModel; linears: LinearRecord[] }> {
    const { opened, recipe, method, plan, options } = this.job;
    const { backend, signal } = options;
    const report = (activity: string): void => this.meter.report(0, activity);
    report("weights");
    const source = trainableWeights(opened, backend);
    const model = await TrainableModel.load(opened.model, source, signal);
    let teacher: LoadedTeacher | null = null;
    try {
      if (method.needs.teacher) teacher = await this.loadTeacher();
      const trained = await trainerOf(method)({
        model,
        teacher: teacher?.model ?? null,
        schemeOf: schemesOf(plan.linears),
        windows,
        targets,
        options: recipe.options,
        seed: recipe.seed,
        store,
        onStep: this.stepReporter(),
        report,
        signal,
      });
      await writeTensors(trained, opened, output);
      return { trained, linears: await this.writeLinears(trained, output) };
    } finally {
      model.release();
      teacher?.model.release();
      await teacher?.opened.checkpoint.close();
    }
  }

  /** Loads the model to learn from, which is never changed, as it is stored. */
  private async loadTeacher(): Promise<LoadedTeacher> {
    const { opened, recipe, options } = this.job;
    const { backend, signal } = options;
    const teacher = await openModel(recipe.teacher ?? opened.directory, { backend });
    const source = new CheckpointWeights(backend, teacher.checkpoint, "stored");
    return { model: await TrainableModel.load(teacher.model, source, signal), opened: teacher };
  }

  private stepReporter(): (report: StepReport) => void {
    const pace = new TrainingPace(this.tokensPerStep);
    const { emit } = this.job.options;
    return (report) => {
      this.meter.sampleMemory();
      const { step, steps, loss, rate, gradientNorm } = report;
      const { elapsedMs } = this.meter;
      emit({
        type: "step",
        step,
        steps,
        loss,
        rate,
        gradientNorm,
        elapsedMs,
        ...pace.take(report),
      });
    };
  }

  /** Writes the packed linears, and notes how far each is from what the model began with. */
  private async writeLinears(
    { linears }: TrainedModel,
    output: QuantizedOutput,
  ): Promise<LinearRecord[]> {
    const { opened, plan, method, options } = this.job;
    const { backend, emit } = options;
    const source = new CheckpointWeights(backend, opened.checkpoint, "float32");
    const records: LinearRecord[] = [];
    for (const { module, block, slot, scheme } of plan.linears) {
      if (!scheme) continue;
      const startedMs = monotonicMs();
      const weight = linears.get(module);
      if (!weight) throw new UsageError(`${method.title} left out ${module}`);
      await output.writeLinear(module, weight);
      const before = await floatMatrix(source, module);
      const error = await LayerError.of(before, null);
      const after = Tensor.from(backend, "f32", before.shape, weight.dequantize());
      const record: LinearRecord = {
        module,
        block,
        slot,
        scheme: weight.scheme.id,
        bitsPerWeight: weight.bitsPerWeight,
        weights: before.size,
        relativeError: await error.against(after),
        errorOf: error.kind,
        elapsedMs: monotonicMs() - startedMs,
      };
      before.release();
      after.release();
      records.push(record);
      this.meter.advance(record.weights);
      emit({ type: "linear", linear: record });
    }
    return records;
  }

  private get tokensPerStep(): number {
    const { training } = this.job.plan;
    return training ? training.microBatchTokens * training.accumulation : 0;
  }

  private describe(
    { progress }: TrainedModel,
    linears: LinearRecord[],
    windows: readonly Int32Array[],
  ): Promise<RunRecord> {
    const { job, meter, startedAt, resumptions } = this;
    const training = describeTraining(progress, this.tokensPerStep);
    const done = { transforms: [], linears, blocks: [], ends: [], training };
    const tokens = windows.length * (windows[0]?.length ?? 0);
    return makeRecord({ job, meter, startedAt, resumptions, done, tokens }, this.folder.workPath);
  }
}

interface LoadedTeacher {
  readonly model: TrainableModel;
  readonly opened: OpenedModel;
}

type Trainer = NonNullable<Method["trainModel"]>;

function trainerOf({ trainModel, title }: Method): Trainer {
  if (trainModel) return trainModel;
  throw new UsageError(`${title} does not train whole models`);
}

function schemesOf(linears: readonly PlannedLinear[]): (module: string) => Scheme | null {
  const schemes = new Map(linears.map(({ module, scheme }) => [module, scheme]));
  return (module) => schemes.get(module) ?? null;
}

/** Writes the float tensors that training has changed, in the dtype that the original has them in. */
async function writeTensors(
  { tensors }: TrainedModel,
  { checkpoint }: OpenedModel,
  output: QuantizedOutput,
): Promise<void> {
  for (const [name, tensor] of tensors) {
    if (checkpoint.has(name)) await output.writeTensor(name, await tensor.read());
  }
}

async function floatMatrix(source: CheckpointWeights, module: string): Promise<Tensor<"f32">> {
  const weight = await source.matrix(module);
  if (!(weight instanceof QTensor)) return weight as Tensor<"f32">;
  const shape = [weight.outFeatures, weight.inFeatures];
  return Tensor.from(source.backend, "f32", shape, weight.dequantize());
}
