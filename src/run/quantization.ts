import type { TensorEntry } from "../formats/safetensors-header.ts";
import type { LinearDescription } from "../nn/quantizable-model.ts";
import { describeMachine } from "../platform/node.ts";
import { version } from "../util/version.ts";
import { digestOf } from "./identity.ts";
import { joinStages } from "./join-stages.ts";
import { describeLinear, type LinearOutcome } from "./linear-record.ts";
import { QuantizedOutput } from "./output/quantized-output.ts";
import { embeddingAndHeadWeights } from "./plan.ts";
import { ProgressMeter } from "./progress.ts";
import type { CheckpointJob, QuantizationJob } from "./quantization-job.ts";
import type { Run } from "./run.ts";
import type { FinishedRecords, LinearRecord, RunRecord } from "./run-record.ts";

/** A run that makes a quantized checkpoint: part by part, or by training the whole model. */
export class Quantization<Job extends CheckpointJob = QuantizationJob> {
  readonly job: Job;
  readonly run: Run;
  readonly meter: ProgressMeter;

  constructor(job: Job, run: Run) {
    this.job = job;
    this.run = run;
    const { blocks, quantizedWeights, ends } = job.plan;
    const work = quantizedWeights + embeddingAndHeadWeights(ends);
    this.meter = new ProgressMeter(run.clock, job.options.emit, blocks, work);
  }

  /**
   * Writes a checkpoint of these tensors: those that `work` does not write are copied. Returns the
   * record of the run, which stands beside the weights.
   */
  async writeCheckpoint(
    entries: readonly TensorEntry[],
    work: (output: QuantizedOutput) => Promise<FinishedRecords>,
  ): Promise<RunRecord> {
    const { opened, recipe, plan, earlierStage, options } = this.job;
    const { workPath } = this.run.folder;
    const output = await (this.run.earlier
      ? QuantizedOutput.reopen(opened.checkpoint, workPath, entries)
      : QuantizedOutput.create(opened.checkpoint, workPath, entries));
    try {
      const done = await work(output);
      await output.copyRest(options.signal);
      await output.finish(earlierStage?.recipe ?? recipe, plan.linears);
      const record = await this.describe(done);
      await output.writeDocument("run.json", record);
      return record;
    } catch (error) {
      await output.close();
      throw error;
    }
  }

  /** Notes what is done already, in weights too, and says so; nothing where no run was resumed. */
  async resumeAfter(
    done: { readonly blocks: number; readonly steps?: number },
    weights: number,
  ): Promise<void> {
    const { earlier } = this.run;
    if (!earlier) return;
    this.meter.resume(weights);
    await this.run.resumeAfter(done);
    this.job.options.emit({
      type: "resumed",
      finishedBlocks: done.blocks,
      blocks: this.job.plan.blocks,
      ...(done.steps !== undefined && { finishedSteps: done.steps }),
      finishedWindows: earlier.windows.length,
      interruptedAt: earlier.interruptedAt,
    });
  }

  /** Writes a quantized linear, and returns and reports how it was quantized. */
  async finishLinear(
    output: QuantizedOutput,
    place: Pick<LinearDescription, "module" | "block" | "slot">,
    outcome: LinearOutcome,
  ): Promise<LinearRecord> {
    const record = await describeLinear(place, outcome);
    await output.writeLinear(place.module, outcome.stored);
    this.meter.advance(record.weights);
    this.job.options.emit({ type: "linear", linear: record });
    return record;
  }

  /** Describes the run, whose checkpoint stands in its folder. */
  private async describe({ tokens, ...done }: FinishedRecords): Promise<RunRecord> {
    const { recipe, opened, options, identity, earlierStage } = this.job;
    const { folder, clock, startedAt, resumptions } = this.run;
    const { backend } = options;
    const sizes = await this.job.measure(folder.workPath);
    const windows =
      recipe.calibration && tokens !== null ? tokens / recipe.calibration.window : null;
    const record: RunRecord = {
      fewbit: version,
      recipe,
      identity: digestOf(identity),
      origin: opened.origin,
      backend: { id: backend.id, level: backend.level, threads: backend.threads },
      machine: describeMachine(),
      startedAt,
      ...clock.usage,
      resumptions,
      calibration: windows === null || tokens === null ? null : { windows, tokens },
      sourceBytes: opened.checkpoint.fileBytes,
      sizeBytes: sizes.file.bytes,
      bitsPerWeight: {
        linear: sizes.linear.bitsPerWeight,
        file: sizes.file.bitsPerWeight,
      },
      ...done,
      fallbacks: done.linears.filter(({ fallback }) => fallback).map(({ module }) => module),
      ...(options.allocation && { allocation: options.allocation }),
    };
    return earlierStage ? joinStages(earlierStage, record) : record;
  }
}
