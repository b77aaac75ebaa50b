import type { TrainingText } from "../calibration/training-text.ts";
import { openUnfinishedCheckpoint } from "../formats/checkpoint.ts";
import { joinPath, monotonicMs, remove } from "../platform/node.ts";
import { throwIfCancelled } from "../util/errors.ts";
import { workOnBlock } from "./block-work.ts";
import type { Journal, PartEntry } from "../run/journal.ts";
import { sampleKeptWindows } from "../run/kept-windows.ts";
import { type FinishedRecords, makeRecord } from "../run/make-record.ts";
import { Prefixes, type Written } from "./prefixes.ts";
import { embeddingAndHeadWeights } from "../run/plan.ts";
import { quantizeVocabularyTable } from "./embedding-and-head.ts";
import { outputEntries, type QuantizedOutput } from "../run/output/quantized-output.ts";
import { repeatBlocks } from "./repeat-blocks.ts";
import type { RunRecord } from "../run/run-record.ts";
import type { RunState } from "../run/run-state.ts";
import { changedTensors } from "./scale-groups.ts";

/** A run that goes block by block: what its steps share. */
export class Run {
  private readonly state: RunState;
  private readonly done: FinishedRecords = { transforms: [], linears: [], blocks: [], ends: [] };

  constructor(state: RunState) {
    this.state = state;
  }

  /** Does all the work, given the calibration windows that were read from files. */
  async work(text: Pick<TrainingText, "windows"> | null): Promise<RunRecord> {
    const { opened, recipe, plan, options } = this.state.job;
    const { checkpoint, model } = opened;
    const changed = changedTensors(model, checkpoint, plan.linears, recipe);
    const entries = outputEntries(checkpoint, [...plan.linears, ...plan.ends], changed);
    const { output, journal } = await this.state.open(entries);
    let prefixes: Prefixes | null = null;
    try {
      const finishedBlocks = await this.goOn(output, journal);
      const windows = text?.windows ?? (await sampleKeptWindows(this.state, journal));
      await this.quantizeEmbeddingAndHead(output, journal);
      prefixes = windows && (await this.embed(windows, output));
      model.releaseEmbeddingAndHead();
      if (prefixes && finishedBlocks < model.blockCount) {
        await this.repeat(finishedBlocks, output, prefixes);
      }
      this.state.meter.beginBlocks();
      for (let index = finishedBlocks; index < model.blockCount; index++) {
        await this.runBlock(index, output, journal, prefixes);
      }
      await prefixes?.release();
      await remove(this.activationFolder);
      await output.copyRest(options.signal);
      await output.finish(recipe);
      const tokens = prefixes?.quantized.tokens ?? null;
      const record = await makeRecord(this.state, this.done, tokens);
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

  /**
   * Takes over what an interrupted run had finished, as far as it is intact. Returns its number of
   * blocks.
   */
  private async goOn(output: QuantizedOutput, journal: Journal): Promise<number> {
    const { earlier, folder, job } = this.state;
    if (!earlier) return 0;
    const { blockCount: blocks } = job.opened.model;
    const written = await openUnfinishedCheckpoint(folder.workPath);
    let finishedBlocks = 0;
    try {
      const ends = earlier.parts.get(embeddingAndHeadPart);
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
    this.state.hasFinishedWork = finishedBlocks + ends.length + earlier.windows.length > 0;
    const weights = [...ends, ...linears].reduce((sum, done) => sum + done.weights, 0);
    await this.state.takeUp(earlier, { blocks: finishedBlocks, weights }, journal);
    return finishedBlocks;
  }

  /** Quantizes embedding and output head as far as the plan says so and no earlier run did. */
  private async quantizeEmbeddingAndHead(output: QuantizedOutput, journal: Journal): Promise<void> {
    const { opened, plan, options } = this.state.job;
    const { backend, signal } = options;
    const { ends } = this.done;
    if (ends.length > 0 || embeddingAndHeadWeights(plan.ends) === 0) return;
    for (const end of plan.ends) {
      const { module, scheme, outFeatures, inFeatures } = end;
      if (!scheme) continue;
      const stored = { kind: "linear", scheme, outFeatures, inFeatures } as const;
      const report = (): void => this.state.meter.report(0, end.roles.join(", "));
      report();
      const record = await quantizeVocabularyTable(end, scheme, {
        backend,
        checkpoint: opened.checkpoint,
        signal,
        onRows: async (firstRow, rows) => {
          await output.writeRows(module, stored, firstRow, rows);
          this.state.meter.advance(rows.outFeatures * inFeatures);
          report();
        },
      });
      ends.push(record);
    }
    const written = await output.finishPart();
    const { effort } = this.state.meter;
    const nothing = { transforms: [], linears: [], blocks: [], outputs: null };
    await journal.append({
      type: "part",
      name: embeddingAndHeadPart,
      ends,
      ...nothing,
      ...written,
      effort,
    });
    this.state.hasFinishedWork = true;
  }

  /** Embeds the calibration windows. */
  private async embed(windows: readonly Int32Array[], output: QuantizedOutput): Promise<Prefixes> {
    const { opened, recipe, method, options } = this.state.job;
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
    const { opened, options } = this.state.job;
    const parts = Array.from({ length: finishedBlocks }, (_, index) => blockPart(index));
    await repeatBlocks({
      opened,
      backend: options.backend,
      written: this.written(output),
      outputs: parts.map((name) => this.state.earlier?.parts.get(name)?.outputs ?? null),
      prefixes,
      signal: options.signal,
      onBlock: (index) =>
        this.state.meter.report(finishedBlocks, `outputs of block ${index + 1}, again`),
    });
  }

  private async runBlock(
    index: number,
    output: QuantizedOutput,
    journal: Journal,
    prefixes: Prefixes | null,
  ): Promise<void> {
    const { signal, emit } = this.state.job.options;
    const { blockCount: blocks } = this.state.job.opened.model;
    throwIfCancelled(signal);
    const startedMs = monotonicMs();
    const { meter, job } = this.state;
    const done = await workOnBlock(index, { job, output, meter, prefixes });
    const written = await output.finishPart();
    const { effort } = meter;
    await journal.append({ type: "part", name: blockPart(index), ...done, ...written, effort });
    this.state.hasFinishedWork = true;
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
    return { folder: this.state.folder.workPath, ...output.written };
  }

  /**
   * Where activations lie that are kept on the disk; a run that is killed leaves it, and the next
   * one begins by removing it.
   */
  private get activationFolder(): string {
    return joinPath(this.state.folder.workPath, "activations");
  }
}

/** Name of embedding and output head in the journal. */
const embeddingAndHeadPart = "embedding and output head";

/** Name of a block in the journal. */
function blockPart(index: number): string {
  return `block ${index}`;
}
