import type { ResumableOutput } from "./output/resumable-output.ts";
import type { TensorEntry } from "../formats/safetensors-header.ts";
import { Journal } from "./journal.ts";
import { embeddingAndHeadWeights } from "./plan.ts";
import { ProgressMeter } from "./progress.ts";
import { QuantizedOutput } from "./output/quantized-output.ts";
import type { EarlierWork } from "./resume.ts";
import type { RunJob } from "./run-job.ts";
import type { Resumption } from "./run-record.ts";

/** What a run that is taken up again found finished. */
export interface FoundFinished {
  readonly blocks: number;
  /** Steps of a training. */
  readonly steps?: number;
  /** Weights that need not be quantized again. */
  readonly weights: number;
}

/**
 * What a run keeps of itself, whatever its work is: how far it is, and what an interrupted run has
 * left to it.
 */
export class RunState {
  /** Whether something is finished that a later run need not do again. */
  hasFinishedWork = false;
  readonly job: RunJob;
  readonly folder: ResumableOutput;
  readonly earlier: EarlierWork | null;
  readonly meter: ProgressMeter;
  /** When the work began, be it in a run that was interrupted; ISO. */
  readonly startedAt: string;
  readonly resumptions: Resumption[];

  constructor(job: RunJob, folder: ResumableOutput, earlier: EarlierWork | null) {
    this.job = job;
    this.folder = folder;
    this.earlier = earlier;
    this.startedAt = earlier?.startedAt ?? new Date().toISOString();
    this.resumptions = [...(earlier?.resumptions ?? [])];
    const { blocks, quantizedWeights, ends } = job.plan;
    this.meter = new ProgressMeter(
      job.options.emit,
      blocks,
      quantizedWeights + embeddingAndHeadWeights(ends),
    );
  }

  /** Opens output and journal, anew or as an interrupted run left them. */
  async open(
    entries: readonly TensorEntry[],
  ): Promise<{ readonly output: QuantizedOutput; readonly journal: Journal }> {
    const { earlier, startedAt } = this;
    const { opened, identity } = this.job;
    const { workPath, journalPath } = this.folder;
    const output = await (earlier
      ? QuantizedOutput.reopen(opened.checkpoint, workPath, entries)
      : QuantizedOutput.create(opened.checkpoint, workPath, entries));
    const journal = await (earlier
      ? Journal.reopen(journalPath, earlier.contents)
      : Journal.create(journalPath, { startedAt, identity }));
    return { output, journal };
  }

  /** Notes that a run is taken up again, and says so. */
  async takeUp(
    { interruptedAt, windows, effort: before }: EarlierWork,
    { blocks, steps, weights }: FoundFinished,
    journal: Journal,
  ): Promise<void> {
    const { meter, job } = this;
    meter.goOn(weights, before);
    const { effort } = meter;
    const resumption = {
      interruptedAt,
      resumedAt: effort.at,
      blocks,
      ...(steps !== undefined && { steps }),
    };
    this.resumptions.push(resumption);
    await journal.append({ type: "resumed", ...resumption, effort });
    job.options.emit({
      type: "resumed",
      finishedBlocks: blocks,
      blocks: job.plan.blocks,
      ...(steps !== undefined && { finishedSteps: steps }),
      finishedWindows: windows.length,
      interruptedAt,
    });
  }
}
