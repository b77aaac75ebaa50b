import type { Block, LinearDescription, QuantizableModel } from "../../nn/quantizable-model.ts";
import { floatLinear } from "../../nn/scale-channels.ts";
import { joinPath, makeDirectories, remove } from "../../platform/node.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { cast } from "../../tensor/ops.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Tape } from "../../tensor/tape.ts";
import { ActivationCache } from "../activations.ts";
import { OriginalBlocks, takenGradient } from "../original-blocks.ts";
import { gradientOfLoss } from "../weight-gradients.ts";
import type { DamageMeasure } from "../../methods/shared/allocation/damage-measure.ts";
import { type LayerPass, ProbedLinear } from "./probed-linear.ts";
import { SlotDamages } from "./slot-damages.ts";

/** What one layer suffers under its candidate schemes, in their order. */
export interface LayerDamage {
  readonly slot: string;
  readonly damages: readonly number[];
  /** Tokens that came to it. */
  readonly tokens: number;
}

/** What damages are measured on. */
export interface DamageWork {
  readonly model: QuantizableModel;
  /** Of one length. */
  readonly windows: readonly Int32Array[];
  readonly measure: Exclude<DamageMeasure, "divergence">;
  /** Layers to be measured, in blocks of which an earlier run has no results. */
  readonly linears: readonly LinearDescription[];
  readonly schemesOf: (linear: LinearDescription) => readonly Scheme[];
  /** A folder for activations; null keeps them in memory. */
  readonly folder: string | null;
  /** Takes the results of a block. */
  readonly onBlock: (block: number, damages: readonly LayerDamage[]) => Promise<void>;
  readonly report: (activity: string) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Measures what each candidate scheme does to each layer of the original, in one pass over the text
 * forward and, where the measure needs gradients, one back. Of the model one block is in memory at a
 * time; what is in front of each block is kept in memory or in files. Embedding and head of the
 * original must be loaded.
 */
export async function measureDamages(work: DamageWork): Promise<void> {
  if (work.linears.length === 0) return;
  const { folder } = work;
  if (folder !== null) await makeDirectories(folder);
  const pass = new DamagePass(work);
  try {
    await pass.run();
  } finally {
    await pass.release();
    if (folder !== null) await remove(folder);
  }
}

class DamagePass {
  private readonly work: DamageWork;
  private readonly blocks: OriginalBlocks;
  /** What is in front of each block, and behind the last. */
  private readonly streams: ActivationCache[] = [];
  private gradients: ActivationCache | null = null;

  constructor(work: DamageWork) {
    this.work = work;
    this.blocks = new OriginalBlocks(work.model, work.signal);
  }

  async run(): Promise<void> {
    const { model, windows, measure } = this.work;
    const place = { dtype: "f32", path: this.pathOf("stream-0") } as const;
    this.streams.push(await ActivationCache.embed(model.backend, model, windows, { place }));
    const forward = measure === "importance";
    for (let index = 0; index < model.blockCount; index++) {
      this.work.report(`inputs of block ${index + 1} of ${model.blockCount}`);
      await this.blocks.with(index, async (block) => {
        if (forward) await this.measureForward(block, index);
        const path = this.pathOf(`stream-${index + 1}`);
        const { signal } = this.work;
        const next = (hidden: Tensor<"f32">): Tensor<"f32"> => this.blocks.forward(block, hidden);
        this.streams.push(await this.streams[index].map(next, { path, signal }));
      });
      if (forward) await this.streams[index].release();
    }
    if (!forward) await this.goBack();
  }

  async release(): Promise<void> {
    for (const stream of this.streams) await stream.release();
    await this.gradients?.release();
  }

  private async goBack(): Promise<void> {
    const { model, windows, signal, linears } = this.work;
    const last = this.streams[model.blockCount];
    this.gradients = await last.map(
      (hidden, first) =>
        gradientOfLoss(this.blocks, hidden, windows.slice(first, first + (hidden.shape[0] ?? 0))),
      { path: this.pathOf("gradients"), signal },
    );
    const firstBlock = Math.min(...linears.map(({ block }) => block));
    for (let index = model.blockCount - 1; index >= firstBlock; index--) {
      const what = this.linearsOf(index).length > 0 ? "damages" : "gradients";
      this.work.report(`${what} in block ${index + 1} of ${model.blockCount}`);
      await this.blocks.with(index, (block) => this.measureBack(block, index));
      await this.streams[index + 1].release();
    }
  }

  private linearsOf(index: number): readonly LinearDescription[] {
    return this.work.linears.filter(({ block }) => block === index);
  }

  private async begin(block: Block, index: number): Promise<Map<string, SlotDamages>> {
    const { measure, schemesOf } = this.work;
    const begun = new Map<string, SlotDamages>();
    for (const linear of this.linearsOf(index)) {
      const { weight } = floatLinear(block, linear.slot);
      const own = await SlotDamages.of(linear.module, weight, schemesOf(linear), measure);
      begun.set(linear.slot, own);
    }
    return begun;
  }

  private async end(index: number, begun: ReadonlyMap<string, SlotDamages>): Promise<void> {
    const damages: LayerDamage[] = [];
    for (const [slot, sums] of begun) {
      damages.push({ slot, damages: await sums.read(), tokens: sums.tokens });
      sums.release();
    }
    if (damages.length > 0) await this.work.onBlock(index, damages);
  }

  private async measureForward(block: Block, index: number): Promise<void> {
    const begun = await this.begin(block, index);
    await this.streams[index].forEach((hidden) => {
      const probes = probe(block, begun, null);
      this.blocks.forward(block, hidden).release();
      for (const [slot, { passes }] of probes.restore()) {
        for (const { input } of passes) {
          // Statistics of inputs are only enqueued: nothing is to be waited for.
          void begun.get(slot)?.add({ input, gradient: null });
          input.release();
        }
      }
    }, this.work.signal);
    await this.end(index, begun);
  }

  /** Measures a block, and puts the gradients in front of it in the place of those behind it. */
  private async measureBack(block: Block, index: number): Promise<void> {
    const begun = await this.begin(block, index);
    const behind = this.gradients as ActivationCache;
    const path = this.pathOf(`gradients-${index}`);
    const change = async (gradient: Tensor<"f32">, input: Tensor<"f32">) => {
      const tape = this.blocks.open();
      const probes = probe(block, begun, tape);
      try {
        tape.watch(input);
        const out = tape.run(() => this.blocks.forward(block, input));
        // The tape takes a gradient over; this one is the store's.
        tape.backward([[out, cast(gradient, "f32")]]);
        for (const [slot, { passes }] of probes.restore()) {
          for (const pass of passes) await addPass(begun.get(slot), pass, tape);
        }
        return takenGradient(tape, input);
      } finally {
        probes.restore();
        await input.backend.synchronize();
        tape.release();
      }
    };
    const { signal } = this.work;
    this.gradients = await behind.mapWith(this.streams[index], change, { path, signal });
    await behind.release();
    await this.end(index, begun);
  }

  private pathOf(name: string): string | null {
    const { folder } = this.work;
    return folder === null ? null : joinPath(folder, name);
  }
}

async function addPass(
  damages: SlotDamages | undefined,
  { input, probe: asked }: LayerPass,
  tape: Tape,
): Promise<void> {
  const gradient = asked && tape.takeGradient(asked);
  const [tokens = 0] = input.shape;
  if (gradient) {
    const flat = gradient.reshape([tokens, gradient.size / tokens]);
    await damages?.add({ input, gradient: flat });
    await input.backend.synchronize();
    gradient.release();
  }
  input.release();
  asked?.release();
}

/** Puts probes in slots; `restore` puts the layers back, and says what the probes saw, once. */
function probe(block: Block, slots: ReadonlyMap<string, unknown>, tape: Tape | null) {
  const probed = new Map<string, ProbedLinear>();
  const layers = new Map(block.slots.map((slot) => [slot, slot.layer]));
  for (const slot of block.slots) {
    if (!slots.has(slot.name)) continue;
    const own = new ProbedLinear(slot.layer, tape);
    probed.set(slot.name, own);
    slot.layer = own;
  }
  return {
    restore: (): ReadonlyMap<string, ProbedLinear> => {
      for (const [slot, layer] of layers) slot.layer = layer;
      return probed;
    },
  };
}
