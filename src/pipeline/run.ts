import type { Backend } from "../backend/backend.ts";
import type { ResumableOutput } from "../formats/resumable-output.ts";
import { openUnfinishedCheckpoint } from "../formats/checkpoint.ts";
import type { DownloadProgress } from "../hub/download-progress.ts";
import type { Method } from "../methods/define-method.ts";
import type { Block } from "../nn/quantizable-model.ts";
import { describeMachine, monotonicMs } from "../platform/node.ts";
import type { Scheme } from "../quant/scheme.ts";
import { CheckpointWeights } from "../runtime/checkpoint-weights.ts";
import { type OpenedModel, openModel } from "../runtime/load.ts";
import { throwIfCancelled } from "../util/errors.ts";
import { version } from "../util/version.ts";
import { ActivationCache } from "./activations.ts";
import { sampleWindows } from "./collect-windows.ts";
import type { PipelineEvent } from "./events.ts";
import { Journal } from "./journal.ts";
import { FinishedWeights } from "./finished-weights.ts";
import type { Plan } from "./plan.ts";
import { ProgressMeter } from "./progress.ts";
import { endWeights } from "./make-plan.ts";
import { quantizeEnd } from "./quantize-ends.ts";
import { quantizeBlock } from "./quantize-block.ts";
import { outputEntries, QuantizedOutput } from "./quantized-output.ts";
import { type Recipe, transformsOf } from "./recipe.ts";
import { repeatBlocks } from "./repeat-blocks.ts";
import type { EarlierWork, ResumeChoice } from "./resume.ts";
import type { RunIdentity } from "./run-identity.ts";
import type {
  EndRecord,
  LinearRecord,
  Resumption,
  RunRecord,
  TransformRecord,
} from "./run-record.ts";
import { changedInBlock, changedTensors, quantizedGroups } from "./scale-groups.ts";
import { transformBlock } from "./transform-block.ts";

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
}

/** One run: the state that its steps share. */
export class Run {
  /** Whether something is finished that a later run need not do again. */
  hasFinishedWork = false;
  private readonly job: RunJob;
  private readonly folder: ResumableOutput;
  private readonly earlier: EarlierWork | null;
  private readonly meter: ProgressMeter;
  private readonly transforms: TransformRecord[] = [];
  private readonly linears: LinearRecord[] = [];
  private readonly ends: EndRecord[] = [];
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
  async work(textWindows: readonly Int32Array[] | null): Promise<RunRecord> {
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
    try {
      const finishedBlocks = await this.goOn(output, journal);
      const windows = textWindows ?? (await this.sample(journal));
      await this.quantizeEnds(output, journal);
      const activations = windows && (await this.embed(windows, output));
      model.releaseEnds();
      if (activations && finishedBlocks < model.blockCount) {
        await this.repeat(finishedBlocks, output, activations);
      }
      this.meter.beginBlocks();
      for (let index = finishedBlocks; index < model.blockCount; index++) {
        await this.runBlock(index, output, journal, activations);
      }
      activations?.release();
      await output.copyRest(options.signal);
      await output.finish(recipe);
      const record = await this.makeRecord(workPath, activations?.tokens ?? null);
      await output.writeDocument("run.json", record);
      return record;
    } catch (error) {
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
      if (ends && (await output.keepPart(written, ends))) this.ends.push(...ends.ends);
      for (; finishedBlocks < blocks; finishedBlocks++) {
        const part = earlier.parts.get(blockPart(finishedBlocks));
        if (!part || !(await output.keepPart(written, part))) break;
        this.transforms.push(...part.transforms);
        this.linears.push(...part.linears);
      }
    } finally {
      await written.close();
    }
    this.hasFinishedWork = finishedBlocks + this.ends.length + earlier.windows.length > 0;
    const done = [...this.ends, ...this.linears];
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

  /** Lets the model write the calibration windows, where the recipe says so; each is kept at once. */
  private async sample(journal: Journal): Promise<readonly Int32Array[] | null> {
    const { opened, recipe, options } = this.job;
    if (!recipe.calibration) return null;
    const { samples } = recipe.calibration;
    const report = (done: number): void =>
      this.meter.report(0, `calibration window ${Math.min(done + 1, samples)} of ${samples}`);
    const earlier = this.earlier?.windows ?? [];
    report(earlier.length);
    return sampleWindows(opened, recipe, {
      backend: options.backend,
      signal: options.signal,
      earlier,
      onWindow: async (window, done) => {
        await journal.append({ type: "window", ids: [...window], effort: this.meter.effort });
        this.hasFinishedWork = true;
        options.emit({ type: "window", done, total: samples });
        report(done);
      },
    });
  }

  /** Quantizes embedding and output head as far as the plan says so and no earlier run did. */
  private async quantizeEnds(output: QuantizedOutput, journal: Journal): Promise<void> {
    const { opened, plan, options } = this.job;
    const { backend, signal } = options;
    if (this.ends.length > 0 || endWeights(plan.ends) === 0) return;
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
      this.ends.push(record);
    }
    const written = await output.finishPart();
    const { effort } = this.meter;
    const { ends } = this;
    const nothing = { transforms: [], linears: [], outputs: null };
    await journal.append({ type: "part", name: endsPart, ends, ...nothing, ...written, effort });
    this.hasFinishedWork = true;
  }

  /** Embeds calibration windows by the embedding that the quantized model will have. */
  private async embed(
    windows: readonly Int32Array[],
    output: QuantizedOutput,
  ): Promise<ActivationCache> {
    const { opened, options } = this.job;
    const { model, checkpoint } = opened;
    const { backend } = options;
    if (this.ends.length > 0) {
      const written = await openUnfinishedCheckpoint(this.folder.workPath);
      try {
        const original = new CheckpointWeights(backend, checkpoint, "float32");
        const finished = { ...output.written, output: written };
        model.releaseEnds();
        await model.loadEnds(new FinishedWeights(backend, original, finished));
      } finally {
        await written.close();
      }
    }
    return ActivationCache.embed(backend, model, windows);
  }

  /** Runs the activations through finished blocks, to what they were when the last was finished. */
  private async repeat(
    finishedBlocks: number,
    output: QuantizedOutput,
    activations: ActivationCache,
  ): Promise<void> {
    const { opened, options } = this.job;
    const finished = { folder: this.folder.workPath, ...output.written };
    const parts = Array.from({ length: finishedBlocks }, (_, index) => blockPart(index));
    await repeatBlocks({
      opened,
      backend: options.backend,
      finished,
      outputs: parts.map((name) => this.earlier?.parts.get(name)?.outputs ?? null),
      activations,
      signal: options.signal,
      onBlock: (index) => this.meter.report(finishedBlocks, `outputs of block ${index + 1}, again`),
    });
  }

  private async runBlock(
    index: number,
    output: QuantizedOutput,
    journal: Journal,
    activations: ActivationCache | null,
  ): Promise<void> {
    const { model } = this.job.opened;
    const { signal, emit } = this.job.options;
    throwIfCancelled(signal);
    const startedMs = monotonicMs();
    this.meter.report(index, "weights");
    const block = await model.loadBlock(index);
    const transforms = await this.transform(block, index, output, activations);
    const linears = await this.quantize(block, index, output, activations);
    let outputs: string | null = null;
    if (activations && index + 1 < model.blockCount) {
      this.meter.report(index, "outputs");
      await activations.advance(model, block, signal);
      outputs = await activations.fingerprint();
    }
    model.releaseBlock(block);
    const written = await output.finishPart();
    const name = blockPart(index);
    const { effort } = this.meter;
    const done = { transforms, linears, ends: [], outputs };
    await journal.append({ type: "part", name, ...done, ...written, effort });
    this.hasFinishedWork = true;
    this.transforms.push(...transforms);
    this.linears.push(...linears);
    const { blockCount: blocks } = model;
    emit({ type: "block", block: index, blocks, elapsedMs: monotonicMs() - startedMs });
  }

  /** Quantizes the linears of a block and writes them. */
  private async quantize(
    block: Block,
    blockIndex: number,
    output: QuantizedOutput,
    activations: ActivationCache | null,
  ): Promise<LinearRecord[]> {
    const { opened, recipe, method, options } = this.job;
    const linears: LinearRecord[] = [];
    await quantizeBlock(block, {
      model: opened.model,
      method,
      options: recipe.options,
      blockIndex,
      activations,
      trueSequential: recipe.trueSequential,
      activationRange: recipe.activationRange,
      schemeOf: this.schemesOf(blockIndex),
      signal: options.signal,
      onActivity: (activity) => this.meter.report(blockIndex, activity),
      onLinear: async (linear, weight) => {
        await output.writeLinear(linear.module, weight);
        linears.push(linear);
        this.meter.advance(linear.weights);
        options.emit({ type: "linear", linear });
        this.meter.report(blockIndex, linear.slot);
      },
    });
    return linears;
  }

  /** Runs the transforms on a block, and writes what they changed besides matrices. */
  private async transform(
    block: Block,
    blockIndex: number,
    output: QuantizedOutput,
    activations: ActivationCache | null,
  ): Promise<TransformRecord[]> {
    const { opened, plan, recipe, options } = this.job;
    const { model } = opened;
    const transforms = transformsOf(recipe);
    if (transforms.length === 0) return [];
    const { signal, emit } = options;
    const groups = quantizedGroups(model, plan.linears, blockIndex);
    const records = await transformBlock(block, {
      model,
      transforms,
      blockIndex,
      groups,
      activations,
      schemeOf: this.schemesOf(blockIndex),
      signal,
      onActivity: (activity) => this.meter.report(blockIndex, activity),
    });
    for (const [name, tensor] of changedInBlock(block, groups)) {
      await output.writeChanged(name, await tensor.read());
    }
    for (const transform of records) emit({ type: "transform", transform });
    return records;
  }

  private schemesOf(index: number): (slot: string) => Scheme | null {
    const members = this.job.plan.linears.filter(({ block }) => block === index);
    const schemes = new Map(members.map(({ slot, scheme }) => [slot, scheme]));
    return (slot) => schemes.get(slot) ?? null;
  }

  private async makeRecord(path: string, tokens: number | null): Promise<RunRecord> {
    const { recipe, opened, options } = this.job;
    const { backend } = options;
    const made = await openModel(path, { backend });
    await made.checkpoint.close();
    made.model.releaseEnds();
    this.meter.sampleMemory();
    const { calibration } = recipe;
    const windows = calibration && tokens !== null ? tokens / calibration.window : null;
    return {
      fewbit: version,
      recipe,
      origin: opened.origin,
      backend: { id: backend.id, level: backend.level, threads: backend.threads },
      machine: describeMachine(),
      startedAt: this.startedAt,
      elapsedMs: this.meter.elapsedMs,
      resumptions: this.resumptions,
      peakMemoryBytes: this.meter.peakBytes,
      peakAnonymousBytes: this.meter.peakAnonymousBytes,
      calibration: windows === null || tokens === null ? null : { windows, tokens },
      sourceBytes: opened.checkpoint.fileBytes,
      sizeBytes: made.sizes.file.bytes,
      bitsPerWeight: {
        linear: made.sizes.linear.bitsPerWeight,
        file: made.sizes.file.bitsPerWeight,
      },
      transforms: this.transforms,
      linears: this.linears,
      ends: this.ends,
      fallbacks: this.linears.filter(({ fallback }) => fallback).map(({ module }) => module),
    };
  }
}

/** Name of embedding and output head in the journal. */
const endsPart = "embedding and output head";

/** Name of a block in the journal. */
function blockPart(index: number): string {
  return `block ${index}`;
}
