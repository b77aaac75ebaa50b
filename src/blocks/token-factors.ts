import { tokenWeights } from "../calibration/token-weights.ts";
import type { Block, QuantizableModel } from "../nn/quantizable-model.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { ActivationCache } from "./activations.ts";
import type { ResidualStreams } from "./residual-streams.ts";

/** What weighing tokens takes. */
interface Weighing {
  readonly model: QuantizableModel;
  readonly signal: AbortSignal | undefined;
  readonly report: (activity: string) => void;
}

/** Power by which tokens weigh less for layers: `1/√mean(h²)`. */
const power = 0.5;

/**
 * Square roots of the weights of calibration tokens in one block: of `tokenWeights` of the hidden
 * states that the block puts out there. They are for errors of what is added last to these states,
 * the MLP's output. What an error inside of the block does to them grows with the states: where a
 * block makes a massive activation, its token counts as much as others in front of it.
 */
export class TokenFactors {
  private readonly passes: readonly Tensor<"f32">[];

  private constructor(passes: readonly Tensor<"f32">[]) {
    this.passes = passes;
  }

  /**
   * Weighs the tokens by what the block puts out with the weights that it has now, or by what the
   * original put out where its stream has gone through the block already.
   */
  static async measure(
    block: Block,
    { original, quantized }: Pick<ResidualStreams, "original" | "quantized">,
    { model, signal, report }: Weighing,
  ): Promise<TokenFactors> {
    report("weights of tokens");
    const passes: Promise<Tensor<"f32">>[] = [];
    const visit = (hidden: Tensor<"f32">): void => {
      const output = original ? hidden : model.forwardBlock(block, hidden, { position: 0 });
      if (!output) return;
      const factors = factorsOf(output);
      passes.push(original ? factors : factors.finally(() => output.release()));
    };
    await (original ?? quantized).forEach(visit, signal);
    return new TokenFactors(await Promise.all(passes));
  }

  /** Weighs the tokens by what a block gave for them. */
  static async ofOutputs(
    outputs: ActivationCache,
    signal: AbortSignal | undefined,
  ): Promise<TokenFactors> {
    const passes: Promise<Tensor<"f32">>[] = [];
    await outputs.forEach((output) => passes.push(factorsOf(output)), signal);
    return new TokenFactors(await Promise.all(passes));
  }

  /** Returns the factors `[tokens]` of a pass, counted from 0. */
  ofPass(index: number): Tensor<"f32"> | null {
    return this.passes[index] ?? null;
  }

  /** Returns those of the first passes, so many. */
  ofPasses(count: number): readonly Tensor<"f32">[] {
    return this.passes.slice(0, count);
  }

  /** Gives the memory back. */
  release(): void {
    for (const pass of this.passes) pass.release();
  }
}

async function factorsOf(output: Tensor<"f32">): Promise<Tensor<"f32">> {
  const weights = tokenWeights(await output.read(), output.shape.at(-1) ?? 0, power);
  const factors = weights.map(Math.sqrt);
  return Tensor.from(output.backend, "f32", [factors.length], factors);
}
