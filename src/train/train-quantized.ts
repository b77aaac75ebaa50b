import type { TrainingText } from "../calibration/training-text.ts";
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
import type { Journal } from "../run/journal.ts";
import { sampleKeptWindows } from "../run/kept-windows.ts";
import { LayerError } from "../run/layer-error.ts";
import { makeRecord } from "../run/make-record.ts";
import type { PlannedLinear } from "../run/plan.ts";
import { outputEntries, type QuantizedOutput } from "../run/output/quantized-output.ts";
import { trainableWeights } from "./trainable-weights.ts";
import type { LinearRecord, RunRecord } from "../run/run-record.ts";
import type { RunState } from "../run/run-state.ts";
import { TrainingFiles } from "../run/training-states.ts";
import { describeTraining, TrainingPace } from "../run/training-record.ts";

/**
 * A run whose method trains the whole model at once, instead of going block by block. What an
 * interrupted run keeps is the state of its training; the model itself is written when that is
 * over.
 */
export class TrainModelRun {
  private readonly state: RunState;

  constructor(state: RunState) {
    this.state = state;
  }

  /** Does all the work, given the windows of text that were read from files. */
  async work(text: TrainingText | null): Promise<RunRecord> {
    const { opened, plan, recipe, method, options, earlierStage } = this.state.job;
    const entries = outputEntries(opened.checkpoint, [...plan.linears, ...plan.ends]);
    const { output, journal } = await this.state.open(entries);
    try {
      const store = this.openStore(journal);
      await this.goOn(journal, store);
      const windows = text?.windows ?? (await sampleKeptWindows(this.state, journal));
      if (!windows) throw new UsageError(`${method.title} needs text, and none was given`);
      const { trained, linears } = await this.train(windows, text?.targets ?? null, store, output);
      await output.copyRest(options.signal);
      await output.finish(earlierStage?.recipe ?? recipe);
      const record = await this.makeRecord(trained, linears, windows);
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
    const { journalPath } = this.state.folder;
    const files = new TrainingFiles(joinPath(journalPath, "training"), this.state.job.identity);
    return {
      read: (tensors) => files.read(tensors),
      progress: () => files.progress(),
      write: async (progress, tensors) => {
        await files.write(progress, tensors);
        await journal.append({
          type: "state",
          step: progress.step,
          effort: this.state.meter.effort,
        });
        this.state.hasFinishedWork = true;
      },
    };
  }

  private async goOn(journal: Journal, store: Pick<TrainingFiles, "progress">): Promise<void> {
    const { earlier } = this.state;
    if (!earlier) return;
    const steps = (await store.progress())?.step ?? 0;
    this.state.hasFinishedWork = steps + earlier.windows.length > 0;
    await this.state.takeUp(earlier, { blocks: 0, steps, weights: 0 }, journal);
  }

  /** Loads the model and trains it, then writes what came of it. */
  private async train(
    windows: readonly Int32Array[],
    targets: TrainingText["targets"],
    store: TrainingStore,
    output: QuantizedOutput,
  ): Promise<{ trained: TrainedModel; linears: LinearRecord[] }> {
    const { opened, recipe, method, plan, options } = this.state.job;
    const { backend, signal } = options;
    const report = (activity: string): void => this.state.meter.report(0, activity);
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
    const { opened, recipe, options } = this.state.job;
    const { backend, signal } = options;
    const teacher = await openModel(recipe.teacher ?? opened.directory, { backend });
    const source = new CheckpointWeights(backend, teacher.checkpoint, "stored");
    return { model: await TrainableModel.load(teacher.model, source, signal), opened: teacher };
  }

  private stepReporter(): (report: StepReport) => void {
    const pace = new TrainingPace(this.tokensPerStep);
    const { emit } = this.state.job.options;
    return (report) => {
      this.state.meter.sampleMemory();
      const { step, steps, loss, rate, gradientNorm } = report;
      const { elapsedMs } = this.state.meter;
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
    const { opened, plan, method, options } = this.state.job;
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
      this.state.meter.advance(record.weights);
      emit({ type: "linear", linear: record });
    }
    return records;
  }

  private get tokensPerStep(): number {
    const { training } = this.state.job.plan;
    return training ? training.microBatchTokens * training.accumulation : 0;
  }

  private makeRecord(
    { progress }: TrainedModel,
    linears: LinearRecord[],
    windows: readonly Int32Array[],
  ): Promise<RunRecord> {
    const training = describeTraining(progress, this.tokensPerStep);
    const done = { transforms: [], linears, blocks: [], ends: [], training };
    return makeRecord(this.state, done, windows.length * (windows[0]?.length ?? 0));
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

/**
 * Writes the float tensors that training has changed, in the dtype that the original has them in.
 */
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
