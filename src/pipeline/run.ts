import type { Backend } from "../backend/backend.ts";
import type { TrainingText } from "../calibration/training-text.ts";
import type { ResumableOutput } from "../formats/resumable-output.ts";
import { openUnfinishedCheckpoint } from "../formats/checkpoint.ts";
import type { DownloadProgress } from "../hub/download-progress.ts";
import type { Method } from "../methods/define-method.ts";
import { joinPath, monotonicMs, remove } from "../platform/node.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { throwIfCancelled } from "../util/errors.ts";
import { workOnBlock } from "./block-work.ts";
import type { PipelineEvent } from "./events.ts";
import { Journal, type PartEntry } from "./journal.ts";
import { sampleKeptWindows } from "./kept-windows.ts";
import { type FinishedRecords, makeRecord } from "./make-record.ts";
import type { Plan } from "./plan.ts";
import { Prefixes, type Written } from "./prefixes.ts";
import { ProgressMeter } from "./progress.ts";
import { endWeights } from "./make-plan.ts";
import { quantizeEnd } from "./quantize-ends.ts";
import { outputEntries, QuantizedOutput } from "./quantized-output.ts";
import type { Recipe } from "./recipe.ts";
import { repeatBlocks } from "./repeat-blocks.ts";
import type { EarlierWork, ResumeChoice } from "./resume.ts";
import type { RunIdentity } from "./run-identity.ts";
import type { Resumption, RunRecord } from "./run-record.ts";
import { changedTensors } from "./scale-groups.ts";

/** What a run needs besides its recipe. */
export interface RunOptions {
  readonly backend: Backend;
  /** Replace an existing output. */
  readonly overwrite?: boolean;
  /** What to do about an unfinished run to the same output; default `auto`. */
  readonly resume?: ResumeChoice;
  readonly signal?: AbortSignal | undefined;
  /** Hears of the model's download, as the events do. */
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
  readonly emit: (event: PipelineEvent) => void;
}

/** Everything about a run that is settled before its work. */
export interface RunJob {
  readonly opened: OpenedModel;
  readonly recipe: Recipe;
  readonly method: Method;
  readonly plan: Plan;
  readonly identity: RunIdentity;
  readonly options: RunOptions;
  /** Of a finisher: what made the model that it goes on with. */
  readonly earlierStage?: EarlierStage;
}

/** The part of a chain of methods that is done. */
export interface EarlierStage {
  /** The recipe of the whole chain. */
  readonly recipe: Recipe;
  readonly record: RunRecord;
}

/** One run: the state that its steps share. */
export class Run {
  /** Whether something is finished that a later run need not do again. */
  hasFinishedWork = false;
  private readonly job: RunJob;
  private readonly folder: ResumableOutput;
  private readonly earlier: EarlierWork | null;
  private readonly meter: ProgressMeter;
  private readonly done: FinishedRecords = { transforms: [], linears: [], blocks: [], ends: [] };
  private readonly startedAt: string;
  private readonly resumptions: Resumption[];

  constructor(job: RunJob, folder: ResumableOutput, earlier: EarlierWork | null) {
    this.job = job;
    this.folder = folder;
    this.earlier = earlier;
    this.startedAt = earlier?.startedAt ?? new Date().toISOString();
    this.resumptions = [...(earlier?.resumptions ?? [])];
    const { blocks, quantizedWeights, ends } = job.plan;
    this.meter = new ProgressMeter(job.options.emit, blocks, quantizedWeights + endWeights(ends));
  }

  /** Does all the work, given the calibration windows that were read from files. */
  async work(text: Pick<TrainingText, "windows"> | null): Promise<RunRecord> {
    const { opened, recipe, plan, identity, options } = this.job;
    const { checkpoint, model } = opened;
    const { workPath, journalPath } = this.folder;
    const { earlier, startedAt } = this;
    const changed = changedTensors(model, checkpoint, plan.linears, recipe);
    const entries = outputEntries(checkpoint, [...plan.linears, ...plan.ends], changed);
    const output = await (earlier
      ? QuantizedOutput.reopen(checkpoint, workPath, entries)
      : QuantizedOutput.create(checkpoint, workPath, entries));
    const journal = await (earlier
      ? Journal.reopen(journalPath, earlier.contents)
      : Journal.create(journalPath, { startedAt, identity }));
    let prefixes: Prefixes | null = null;
    try {
      const finishedBlocks = await this.goOn(output, journal);
      const windows = text?.windows ?? (await this.sample(journal));
      await this.quantizeEnds(output, journal);
      prefixes = windows && (await this.embed(windows, output));
      model.releaseEnds();
      if (prefixes && finishedBlocks < model.blockCount) {
        await this.repeat(finishedBlocks, output, prefixes);
      }
      this.meter.beginBlocks();
      for (let index = finishedBlocks; index < model.blockCount; index++) {
        await this.runBlock(index, output, journal, prefixes);
      }
      await prefixes?.release();
      await remove(this.activationFolder);
      await output.copyRest(options.signal);
      await output.finish(recipe);
      const tokens = prefixes?.quantized.tokens ?? null;
      const record = await this.makeRecord(tokens);
      await output.writeDocument("run.json", record);
      return record;
    } catch (error) {
      await prefixes?.release();
      await remove(this.activationFolder);
      await output.close();
      throw error;
    } finally {
      await journal.close();
    }
  }

  /** Takes over what an interrupted run had finished, as far as it is intact. Returns its number of blocks. */
  private async goOn(output: QuantizedOutput, journal: Journal): Promise<number> {
    const { earlier, meter } = this;
    if (!earlier) return 0;
    const { blockCount: blocks } = this.job.opened.model;
    const written = await openUnfinishedCheckpoint(this.folder.workPath);
    let finishedBlocks = 0;
    try {
      const ends = earlier.parts.get(endsPart);
      if (ends && (await output.keepPart(written, ends))) this.done.ends.push(...ends.ends);
      for (; finishedBlocks < blocks; finishedBlocks++) {
        const part = earlier.parts.get(blockPart(finishedBlocks));
        if (!part || !(await output.keepPart(written, part))) break;
        this.keep(part);
      }
    } finally {
      await written.close();
    }
    const { ends, linears } = this.done;
    this.hasFinishedWork = finishedBlocks + ends.length + earlier.windows.length > 0;
    const done = [...ends, ...linears];
    const doneWork = done.reduce((sum, { weights }) => sum + weights, 0);
    meter.goOn(doneWork, earlier.effort);
    const { interruptedAt } = earlier;
    const { effort } = meter;
    const resumption = { interruptedAt, resumedAt: effort.at, blocks: finishedBlocks };
    this.resumptions.push(resumption);
    await journal.append({ type: "resumed", ...resumption, effort });
    const finishedWindows = earlier.windows.length;
    this.job.options.emit({
      type: "resumed",
      finishedBlocks,
      blocks,
      finishedWindows,
      interruptedAt,
    });
    return finishedBlocks;
  }

  private sample(journal: Journal): Promise<readonly Int32Array[] | null> {
    const { earlier, meter } = this;
    const onKept = (): void => {
      this.hasFinishedWork = true;
    };
    return sampleKeptWindows(this.job, { journal, meter, earlier, onKept });
  }

  /** Quantizes embedding and output head as far as the plan says so and no earlier run did. */
  private async quantizeEnds(output: QuantizedOutput, journal: Journal): Promise<void> {
    const { opened, plan, options } = this.job;
    const { backend, signal } = options;
    const { ends } = this.done;
    if (ends.length > 0 || endWeights(plan.ends) === 0) return;
    for (const end of plan.ends) {
      const { module, scheme, outFeatures, inFeatures } = end;
      if (!scheme) continue;
      const stored = { kind: "linear", scheme, outFeatures, inFeatures } as const;
      const report = (): void => this.meter.report(0, end.roles.join(", "));
      report();
      const record = await quantizeEnd(end, scheme, {
        backend,
        checkpoint: opened.checkpoint,
        signal,
        onRows: async (firstRow, rows) => {
          await output.writeRows(module, stored, firstRow, rows);
          this.meter.advance(rows.outFeatures * inFeatures);
          report();
        },
      });
      ends.push(record);
    }
    const written = await output.finishPart();
    const { effort } = this.meter;
    const nothing = { transforms: [], linears: [], blocks: [], outputs: null };
    await journal.append({ type: "part", name: endsPart, ends, ...nothing, ...written, effort });
    this.hasFinishedWork = true;
  }

  /** Embeds the calibration windows. */
  private async embed(windows: readonly Int32Array[], output: QuantizedOutput): Promise<Prefixes> {
    const { opened, recipe, method, options } = this.job;
    return Prefixes.embed({
      opened,
      backend: options.backend,
      windows,
      floatInputs: method.needs.floatInputs ?? false,
      dtype: recipe.cacheDType,
      folder: recipe.cacheOnDisk ? this.activationFolder : null,
      written: this.done.ends.length > 0 ? this.written(output) : null,
    });
  }

  /** Runs the activations through finished blocks, to what they were when the last was finished. */
  private async repeat(
    finishedBlocks: number,
    output: QuantizedOutput,
    prefixes: Prefixes,
  ): Promise<void> {
    const { opened, options } = this.job;
    const parts = Array.from({ length: finishedBlocks }, (_, index) => blockPart(index));
    await repeatBlocks({
      opened,
      backend: options.backend,
      written: this.written(output),
      outputs: parts.map((name) => this.earlier?.parts.get(name)?.outputs ?? null),
      prefixes,
      signal: options.signal,
      onBlock: (index) => this.meter.report(finishedBlocks, `outputs of block ${index + 1}, again`),
    });
  }

  private async runBlock(
    index: number,
    output: QuantizedOutput,
    journal: Journal,
    prefixes: Prefixes | null,
  ): Promise<void> {
    const { signal, emit } = this.job.options;
    const { blockCount: blocks } = this.job.opened.model;
    throwIfCancelled(signal);
    const startedMs = monotonicMs();
    const { meter } = this;
    const done = await workOnBlock(index, { job: this.job, output, meter, prefixes });
    const written = await output.finishPart();
    const { effort } = meter;
    await journal.append({ type: "part", name: blockPart(index), ...done, ...written, effort });
    this.hasFinishedWork = true;
    this.keep(done);
    emit({ type: "block", block: index, blocks, elapsedMs: monotonicMs() - startedMs });
  }

  private keep({
    transforms,
    linears,
    blocks,
  }: Pick<PartEntry, "transforms" | "linears" | "blocks">) {
    const { done } = this;
    done.transforms.push(...transforms);
    done.linears.push(...linears);
    done.blocks.push(...blocks);
  }

  private written(output: QuantizedOutput): Written {
    return { folder: this.folder.workPath, ...output.written };
  }

  /** Where activations lie that are kept on the disk; a run that is killed leaves it, and the next one begins by
   *  removing it. */
  private get activationFolder(): string {
    return joinPath(this.folder.workPath, "activations");
  }

  private makeRecord(tokens: number | null): Promise<RunRecord> {
    const { job, meter, startedAt, resumptions, done } = this;
    return makeRecord({ job, meter, startedAt, resumptions, done, tokens }, this.folder.workPath);
  }
}

/** Name of embedding and output head in the journal. */
const endsPart = "embedding and output head";

/** Name of a block in the journal. */
function blockPart(index: number): string {
  return `block ${index}`;
}
