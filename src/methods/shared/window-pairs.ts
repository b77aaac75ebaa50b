import type { ActivationWindows } from "../../calibration/activation-windows.ts";
import { tokenWeights } from "../../calibration/token-weights.ts";
import { multiplyInto } from "../../tensor/ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { listOfWindows, TokenBatches } from "../../training/token-batches.ts";
import { UsageError } from "../../util/errors.ts";
import type { weighedLossKinds } from "./block-training-options.ts";

/** Inputs of a quantized block, outputs of the original: `[windows, length, hiddenSize]` each. */
export interface Pair {
  readonly input: Tensor<"f32">;
  readonly target: Tensor<"f32">;
  /** How much each token counts, `[windows · length]`; null: all alike. */
  readonly weights: Tensor<"f32"> | null;
  /**
   * What errors of outputs are multiplied by, of the shape of the target, which is multiplied by it
   * already; null: by nothing.
   */
  readonly factors: Tensor<"f32"> | null;
}

/**
 * What errors are measured by: the size of the original's outputs at their token, plainly, or by
 * the gradients of the divergence by each output.
 */
export type BlockLossKind = (typeof weighedLossKinds)[number];

/** Where pairs come from. */
export interface PairSource {
  readonly inputs: ActivationWindows;
  readonly targets: ActivationWindows;
  /** Gradients by outputs, where errors are measured by them; null: they are not. */
  readonly gradients: ActivationWindows | null;
  readonly seed: number;
}

/** How they are handed out. */
export interface PairOptions {
  /** Windows a batch. */
  readonly batch: number;
  /** Windows held out of the batches: the last ones; left out, as many as `usualHeldOut` says. */
  readonly validation?: number | undefined;
  readonly loss: BlockLossKind;
}

/** Windows by which a block is judged where none are held out. */
const judged = 8;
/** Windows that are held out at most unless a recipe says so: enough to tell worse from better. */
const mostHeldOut = 8;

/**
 * Power by which tokens weigh less in the loss of a block: `1/⁴√mean(h²)`, less than for layers.
 * What goes wrong where a massive activation is made reaches every later block.
 */
const tokenPower = 0.25;

/** How many of so many windows are held out unless a recipe says so. */
export function usualHeldOut(windows: number): number {
  return Math.min(mostHeldOut, Math.floor(windows / 16));
}

/**
 * Batches of windows for training a block. Batch n is a function of the seed and n; while one is
 * worked with, the next one is already being read.
 */
export class WindowPairs {
  /** Windows to train on. */
  readonly count: number;
  readonly heldOut: number;
  private readonly source: PairSource;
  private readonly batchSize: number;
  private readonly batches: TokenBatches;
  private readonly loss: BlockLossKind;
  private next: { readonly number: number; readonly pair: Promise<Pair> } | null = null;

  private constructor(source: PairSource, validation: number, { batch, loss }: PairOptions) {
    this.source = source;
    this.loss = loss;
    this.batchSize = batch;
    this.heldOut = validation;
    this.count = source.inputs.windows - validation;
    const indices = Array.from({ length: this.count }, (_, index) => Int32Array.of(index));
    this.batches = new TokenBatches(listOfWindows(indices), {
      size: batch,
      order: "shuffled",
      seed: source.seed,
    });
  }

  /** @throws UsageError when nothing is left to train on */
  static of(source: PairSource, options: PairOptions): WindowPairs {
    const { windows } = source.inputs;
    const { validation = usualHeldOut(windows) } = options;
    if (validation < windows) return new WindowPairs(source, validation, options);
    throw new UsageError(
      `${validation} windows are to be held out, and there are ${windows} in all`,
      {
        hint: "use `samples` and `validation` so that windows are left to train on",
        field: "options.validation",
        value: validation,
      },
    );
  }

  /** Returns batch `number` (from 0), which the caller owns. */
  async batch(number: number): Promise<Pair> {
    const ready = this.next?.number === number ? this.next.pair : this.load(number);
    this.next = null;
    const pair = await ready;
    const following = this.load(number + 1);
    // An error reaches the caller that takes the pair; if none does, it must not be unhandled.
    following.catch(() => {});
    this.next = { number: number + 1, pair: following };
    return pair;
  }

  /** Goes over what is held out; the caller owns each pair. */
  heldOutPairs(): AsyncGenerator<Pair> {
    return this.range(this.count, this.source.inputs.windows);
  }

  /** Goes over what a block is judged by: windows held out, else some to train on. */
  judgedPairs(): AsyncGenerator<Pair> {
    return this.heldOut > 0 ? this.heldOutPairs() : this.range(0, Math.min(judged, this.count));
  }

  /** Gives back what was read ahead. */
  async release(): Promise<void> {
    const { next } = this;
    this.next = null;
    await next?.pair.then(releasePair, () => {});
  }

  private async *range(from: number, to: number): AsyncGenerator<Pair> {
    for (let first = from; first < to; first += this.batchSize) {
      const end = Math.min(to, first + this.batchSize);
      yield this.take(Array.from({ length: end - first }, (_, i) => first + i));
    }
  }

  private load(number: number): Promise<Pair> {
    return this.take([...this.batches.at(number)]);
  }

  private async take(indices: readonly number[]): Promise<Pair> {
    const input = await this.source.inputs.take(indices);
    const target = await this.source.targets.take(indices);
    const weights = this.loss === "relative" ? await weightsOf(target) : null;
    const factors = await this.factors(indices);
    if (factors) multiplyInto(target, factors);
    return { input, target, weights, factors };
  }

  /** `|gradient| + 1`, as the code of BRECQ's authors has it. */
  private async factors(indices: readonly number[]): Promise<Tensor<"f32"> | null> {
    const gradients = await this.source.gradients?.take(indices);
    if (!gradients) return null;
    const factors = (await gradients.read()).map((gradient) => Math.abs(gradient) + 1);
    gradients.release();
    return Tensor.from(gradients.backend, "f32", gradients.shape, factors);
  }
}

async function weightsOf(target: Tensor<"f32">): Promise<Tensor<"f32">> {
  const [windows = 0, length = 0, hiddenSize = 0] = target.shape;
  const weights = tokenWeights(await target.read(), hiddenSize, tokenPower);
  return Tensor.from(target.backend, "f32", [windows * length], weights);
}

/** Gives the memory of a pair back. */
export function releasePair({ input, target, weights, factors }: Pair): void {
  input.release();
  target.release();
  weights?.release();
  factors?.release();
}
