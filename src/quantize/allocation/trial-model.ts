import { roundWeight } from "../../blocks/damages/slot-damages.ts";
import type { Trial } from "../../methods/shared/allocation/allocation-problem.ts";
import type { LinearLike } from "../../nn/linear.ts";
import { makeLinear } from "../../nn/make-linear.ts";
import type { Block, QuantizableModel } from "../../nn/quantizable-model.ts";
import { floatLinear } from "../../nn/scale-channels.ts";
import { klDivergence } from "../../tensor/ops.ts";
import { Tensor, tidy } from "../../tensor/tensor.ts";
import { throwIfCancelled } from "../../util/errors.ts";
import { meanOf } from "../../util/sums.ts";
import type { LayerGroup } from "./layer-groups.ts";

const tokensPerPass = 1024;
const rowsPerChunk = 256;

/** What the original gives for windows that go through the model together. */
interface OriginalPass {
  readonly ids: Tensor<"i32">;
  /** In front of each block, and behind the last: `[windows, length, hiddenSize]`. */
  readonly streams: readonly Tensor<"f32">[];
}

/** Of the rows of tokens, in their order. */
interface RowScores {
  readonly divergences: number[];
  readonly agreements: number[];
}

/** Index of the option of each group; null leaves its layers in floats. */
export type Trying = readonly (number | null)[];

/**
 * The whole model in memory, whose groups of layers change between floats and the options that they
 * have, rounded to nearest: for searches that try many. Rounded weights stay packed, and are made
 * when they are first tried.
 */
export class TrialModel {
  private readonly model: QuantizableModel;
  private readonly blocks: readonly Block[];
  private readonly groups: readonly LayerGroup[];
  private readonly passes: readonly OriginalPass[];
  private readonly length: number;
  private readonly floats = new Map<string, LinearLike>();
  private readonly rounded = new Map<string, LinearLike>();
  private readonly signal: AbortSignal | undefined;

  private constructor(
    parts: { model: QuantizableModel; blocks: readonly Block[]; groups: readonly LayerGroup[] },
    passes: readonly OriginalPass[],
    length: number,
    signal: AbortSignal | undefined,
  ) {
    this.model = parts.model;
    this.blocks = parts.blocks;
    this.groups = parts.groups;
    this.passes = passes;
    this.length = length;
    this.signal = signal;
  }

  /** Loads all blocks; embedding and head must be loaded. */
  static async load(
    model: QuantizableModel,
    groups: readonly LayerGroup[],
    windows: readonly Int32Array[],
    signal: AbortSignal | undefined,
  ): Promise<TrialModel> {
    const blocks: Block[] = [];
    for (let index = 0; index < model.blockCount; index++) {
      throwIfCancelled(signal);
      blocks.push(await model.loadBlock(index));
    }
    const length = windows[0]?.length ?? 0;
    const together = Math.max(1, Math.floor(tokensPerPass / length));
    const passes: OriginalPass[] = [];
    for (let first = 0; first < windows.length; first += together) {
      const own = windows.slice(first, first + together);
      const flat = Int32Array.from(own.flatMap((window) => [...window]));
      const ids = Tensor.from(model.backend, "i32", [own.length, length], flat);
      const streams = [model.embed(ids)];
      for (const block of blocks) {
        const next = model.forwardBlock(block, streams[streams.length - 1], { position: 0 });
        if (next) streams.push(next);
        await model.backend.synchronize();
      }
      passes.push({ ids, streams });
    }
    return new TrialModel({ model, blocks, groups }, passes, length, signal);
  }

  /** Tokens of all windows. */
  get tokens(): number {
    return this.passes.reduce((sum, { ids }) => sum + ids.size, 0);
  }

  /** Measures the model with these options on as many windows as the tokens make up, one at least. */
  async tryOut(trying: Trying, tokens: number): Promise<Trial> {
    const rows = await this.score(trying, tokens);
    return { divergence: meanOf(rows.divergences), agreement: meanOf(rows.agreements) };
  }

  /** Mean divergence of each window, as `tryOut` has that of all. */
  async tryWindows(trying: Trying): Promise<number[]> {
    const { divergences } = await this.score(trying, this.tokens);
    return Array.from({ length: divergences.length / this.length }, (_, window) =>
      meanOf(divergences.slice(window * this.length, (window + 1) * this.length)),
    );
  }

  private async score(trying: Trying, tokens: number): Promise<RowScores> {
    const firstBlock = await this.put(trying);
    const scores: RowScores = { divergences: [], agreements: [] };
    for (const { streams } of this.passes) {
      const done = scores.divergences.length;
      if (done > 0 && done + this.length > tokens) break;
      throwIfCancelled(this.signal);
      let hidden = streams[firstBlock];
      for (const block of this.blocks.slice(firstBlock)) {
        const next = this.model.forwardBlock(block, hidden, { position: 0 });
        if (hidden !== streams[firstBlock]) hidden.release();
        if (next) hidden = next;
      }
      await this.compare(streams[this.blocks.length], hidden, { scores, tokens });
      if (hidden !== streams[firstBlock]) hidden.release();
    }
    return scores;
  }

  /** Gives all memory back but embedding and head. */
  release(): void {
    for (const [i, group] of this.groups.entries()) {
      for (const linear of group.linears) this.setLayer(i, linear.slot, null);
    }
    for (const block of this.blocks) this.model.releaseBlock(block);
    for (const { streams } of this.passes) for (const stream of streams) stream.release();
  }

  /** Adds what the rows of whole windows of a pass tell, as far as tokens are wanted. */
  private async compare(
    wanted: Tensor<"f32">,
    given: Tensor<"f32">,
    { scores, tokens }: { readonly scores: RowScores; readonly tokens: number },
  ): Promise<void> {
    const { model, length } = this;
    const [windows = 0, , width = 0] = wanted.shape;
    const [a, b] = [wanted, given].map((stream) => stream.reshape([windows * length, width]));
    const open = Math.floor((tokens - scores.divergences.length) / length) * length;
    const rows = Math.min(windows * length, Math.max(length, open));
    for (let start = 0; start < rows; start += rowsPerChunk) {
      const end = Math.min(rows, start + rowsPerChunk);
      const [divergence, agree] = tidy(() => {
        const teacher = model.logits(a.slice(start, end));
        const student = model.logits(b.slice(start, end));
        const scored = klDivergence(teacher, student);
        return [scored.divergence, scored.agree];
      });
      scores.divergences.push(...(await divergence.read()));
      scores.agreements.push(...(await agree.read()));
      divergence.release();
      agree.release();
    }
  }

  /** Puts layers in their slots; returns the first block that differs from the original. */
  private async put(trying: Trying): Promise<number> {
    let first = this.blocks.length;
    for (const [i, group] of this.groups.entries()) {
      const option = trying[i];
      if (option !== null) first = Math.min(first, group.block);
      for (const [at, { slot, module }] of group.linears.entries()) {
        const layer =
          option === null ? null : await this.roundedLayer(i, { slot, module, option, at });
        this.setLayer(i, slot, layer);
      }
    }
    return first;
  }

  private async roundedLayer(
    group: number,
    { slot, module, option, at }: { slot: string; module: string; option: number; at: number },
  ): Promise<LinearLike> {
    const { block, options } = this.groups[group];
    const scheme = options[option].schemes[at];
    const key = `${module} ${scheme.id}`;
    const known = this.rounded.get(key);
    if (known) return known;
    this.setLayer(group, slot, null);
    const { weight, bias } = floatLinear(this.blocks[block], slot);
    const made = await makeLinear(weight.backend, await roundWeight(module, weight, scheme), bias);
    this.rounded.set(key, made);
    return made;
  }

  private setLayer(group: number, slot: string, layer: LinearLike | null): void {
    const { block } = this.groups[group];
    const place = this.blocks[block].slots.find(({ name }) => name === slot);
    if (!place) return;
    const key = `${block} ${slot}`;
    if (!this.floats.has(key)) this.floats.set(key, place.layer);
    place.layer = layer ?? this.floats.get(key) ?? place.layer;
  }
}
