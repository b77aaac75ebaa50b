import type { Block, QuantizableModel } from "../nn/quantizable-model.ts";
import type { LinearSlot } from "../nn/linear.ts";
import type { Scheme } from "../quant/scheme.ts";
import { type ChosenMethod, startOf, transformsOf } from "../recipe/recipe.ts";
import type { LinearOutcome } from "../run/linear-record.ts";
import type { QuantizedOutput } from "../run/output/quantized-output.ts";
import type { PlannedLinear } from "../run/plan.ts";
import type { Quantization } from "../run/quantization.ts";
import type { QuantizationJob } from "../run/quantization-job.ts";
import type { LinearRecord } from "../run/run-record.ts";
import { goesByExpert } from "./goes-by-expert.ts";
import { scalesChannels } from "./scale-groups.ts";
import type { ResidualStreams } from "./residual-streams.ts";
import type { Sensitivities } from "./sensitivities.ts";
import { runByExpert } from "./stream-experts.ts";
import { TokenFactors } from "./token-factors.ts";

/** What calibration text gives all blocks; null without. */
export interface Calibrated {
  readonly streams: ResidualStreams | null;
  readonly sensitivities: Sensitivities | null;
}

/** One block at work: what the steps of its quantization share. */
export class BlockJob {
  readonly index: number;
  readonly job: QuantizationJob;
  readonly model: QuantizableModel;
  /** Whether its experts are in memory one at a time. */
  readonly isByExpert: boolean;
  /** Null when no calibration text was given. */
  readonly streams: ResidualStreams | null;
  /** Null unless the method needs them. */
  readonly sensitivities: Sensitivities | null;
  /** Linears that are quantized and written. */
  readonly linears: LinearRecord[] = [];
  readonly signal: AbortSignal | undefined;
  /** Weights of the calibration tokens, where a method or a transform asks for them. */
  factors: TokenFactors | null = null;
  private readonly quantization: Quantization;
  private readonly output: QuantizedOutput;
  private readonly planned: ReadonlyMap<string, PlannedLinear>;

  constructor(
    index: number,
    quantization: Quantization,
    output: QuantizedOutput,
    { streams, sensitivities }: Calibrated,
  ) {
    const { job } = quantization;
    this.index = index;
    this.job = job;
    this.model = job.opened.model;
    this.isByExpert = goesByExpert(job, index);
    this.streams = streams;
    this.sensitivities = sensitivities;
    this.signal = job.options.signal;
    this.quantization = quantization;
    this.output = output;
    const own = job.plan.linears.filter(({ block }) => block === index);
    this.planned = new Map(own.map((linear) => [linear.slot, linear]));
  }

  /** Whether the quantizer scales channels, and so writes what transforms change, too. */
  get scales(): boolean {
    const { method, plan, recipe } = this.job;
    return scalesChannels(method, plan.linears, recipe);
  }

  /** Weights of the linears that will be quantized. */
  get weights(): number {
    return [...this.planned.values()]
      .filter(({ scheme }) => scheme)
      .reduce((sum, { inFeatures, outFeatures }) => sum + inFeatures * outFeatures, 0);
  }

  /** The scheme of a slot; null when it stays as it is. */
  readonly schemeOf = (slot: string): Scheme | null => this.planned.get(slot)?.scheme ?? null;

  /** Slots that will be quantized, of those given. */
  chosen(slots: readonly LinearSlot[]): LinearSlot[] {
    return slots.filter(({ name }) => this.schemeOf(name) !== null);
  }

  /** Weighs the calibration tokens, if a method of the recipe asks for it. */
  async weighTokens(block: Block): Promise<void> {
    const { method, recipe } = this.job;
    const start = startOf(recipe);
    const quantizers = [{ method, options: recipe.options }, ...(start ? [start] : [])];
    if (this.streams && [...quantizers, ...transformsOf(recipe)].some(asksForWeights)) {
      this.factors = await this.measureFactors(block, this.streams);
    }
  }

  private async measureFactors(block: Block, streams: ResidualStreams): Promise<TokenFactors> {
    const { index, model, signal } = this;
    if (!this.isByExpert) return TokenFactors.measure(block, streams, this);
    this.report("weights of tokens");
    const { quantized, folder } = streams;
    const outputs = await runByExpert(quantized, { model, index, block, folder, signal });
    const factors = await TokenFactors.ofOutputs(outputs, signal);
    await outputs.release();
    return factors;
  }

  /** What the inputs of layers are multiplied by for the statistics of a method, by token. */
  factorsFor(chosen: ChosenMethod): TokenFactors | null {
    return asksForWeights(chosen) ? this.factors : null;
  }

  /** Says what is being done now, and which share of the block's work is done, 0 to 1. */
  readonly report = (activity: string, share = 0): void =>
    this.quantization.meter.report(this.index, activity, share * this.weights);

  /** Writes a quantized linear and notes how it was quantized. */
  async finishLinear(block: Block, slot: string, outcome: LinearOutcome): Promise<void> {
    const place = { module: `${block.name}.${slot}`, block: this.index, slot };
    this.linears.push(await this.quantization.finishLinear(this.output, place, outcome));
    this.report(slot);
  }

  /** Writes a tensor that scaling has changed. */
  async writeChanged(name: string, values: Float32Array): Promise<void> {
    await this.output.writeChanged(name, values);
  }
}

function asksForWeights({ method, options }: ChosenMethod): boolean {
  return method.weighsTokens?.(options) ?? false;
}
