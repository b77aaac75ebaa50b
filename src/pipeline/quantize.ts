import type { Backend } from "../backend/backend.ts";
import { withOutput } from "../formats/output-directory.ts";
import type { Method } from "../methods/define-method.ts";
import type { Block } from "../nn/quantizable-model.ts";
import type { Scheme } from "../quant/scheme.ts";
import { describeMachine, monotonicMs } from "../platform/node.ts";
import { type OpenedModel, openModel } from "../runtime/load.ts";
import { throwIfCancelled, UnsupportedError } from "../util/errors.ts";
import { version } from "../util/version.ts";
import { ActivationCache } from "./activations.ts";
import { collectWindows } from "./collect-windows.ts";
import type { PipelineEvent } from "./events.ts";
import { expectMemory, makePlan } from "./make-plan.ts";
import type { Plan } from "./plan.ts";
import { ProgressMeter } from "./progress.ts";
import { quantizeBlock } from "./quantize-block.ts";
import { outputEntries, QuantizedOutput } from "./quantized-output.ts";
import {
  parseRecipe,
  type Recipe,
  type RecipeInput,
  settleRecipe,
  transformsOf,
} from "./recipe.ts";
import type { LinearRecord, RunRecord, TransformRecord } from "./run-record.ts";
import { changedInBlock, changedTensors, quantizedGroups } from "./scale-groups.ts";
import { transformBlock } from "./transform-block.ts";

/** What a run needs besides its recipe. */
export interface RunOptions {
  readonly backend: Backend;
  /** Replace an existing output. */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly emit: (event: PipelineEvent) => void;
}

/** Says what a recipe would do, without doing it. @throws as `runRecipe` does before work */
export async function planRecipe(input: RecipeInput, backend: Backend): Promise<Plan> {
  const { parsed, method } = parseRecipe(input);
  const opened = await openModel(parsed.model, { backend, precision: "float32" });
  try {
    expectUnquantized(opened);
    const recipe = settleRecipe(parsed, opened.config.contextLength);
    return await makePlan(opened, recipe, method, backend);
  } finally {
    await opened.checkpoint.close();
  }
}

/**
 * Quantizes a checkpoint as a recipe says: block by block from disk to disk. The output appears under
 * its final name when it is whole; when anything fails, nothing is left of it.
 * @throws FewbitError of the kind that fits; the input is never touched
 */
export async function runRecipe(input: RecipeInput, options: RunOptions): Promise<RunRecord> {
  const { parsed, method } = parseRecipe(input);
  const { backend, emit } = options;
  const opened = await openModel(parsed.model, { backend, precision: "float32" });
  try {
    expectUnquantized(opened);
    const recipe = settleRecipe(parsed, opened.config.contextLength);
    const plan = await makePlan(opened, recipe, method, backend);
    emit({ type: "plan", plan });
    for (const message of plan.cautions) emit({ type: "notice", message });
    expectMemory(plan);
    const target = {
      overwrite: options.overwrite ?? false,
      inputs: [recipe.model],
      needBytes: plan.estimate.outputBytes,
    };
    const record = await withOutput(recipe.out, target, async ({ workPath }) =>
      new Run(opened, recipe, method, plan, options).writeTo(workPath),
    );
    emit({ type: "done", record });
    return record;
  } finally {
    await opened.checkpoint.close();
  }
}

function expectUnquantized({ name, schemeId }: OpenedModel): void {
  if (schemeId === null) return;
  throw new UnsupportedError(`${name} is quantized already, to ${schemeId}`, {
    hint: "quantize the original checkpoint",
  });
}

/** What the steps on one block share. */
interface BlockSurroundings {
  readonly index: number;
  readonly output: QuantizedOutput;
  readonly activations: ActivationCache | null;
  readonly schemeOf: (slot: string) => Scheme | null;
}

/** One run: the state that its steps share. */
class Run {
  private readonly opened: OpenedModel;
  private readonly recipe: Recipe;
  private readonly method: Method;
  private readonly plan: Plan;
  private readonly options: RunOptions;
  private readonly meter: ProgressMeter;
  private readonly linears: LinearRecord[] = [];
  private readonly transforms: TransformRecord[] = [];
  private readonly startedAt = new Date().toISOString();

  constructor(
    opened: OpenedModel,
    recipe: Recipe,
    method: Method,
    plan: Plan,
    options: RunOptions,
  ) {
    this.opened = opened;
    this.recipe = recipe;
    this.method = method;
    this.plan = plan;
    this.options = options;
    this.meter = new ProgressMeter(options.emit, plan.blocks, plan.quantizedWeights);
  }

  async writeTo(path: string): Promise<RunRecord> {
    const { checkpoint, model } = this.opened;
    const output = await QuantizedOutput.create(
      checkpoint,
      path,
      outputEntries(
        checkpoint,
        this.plan.linears,
        changedTensors(model, checkpoint, this.plan.linears, this.recipe),
      ),
    );
    try {
      const activations = await this.embedCalibration();
      model.releaseEnds();
      for (let index = 0; index < model.blockCount; index++) {
        await this.runBlock(index, output, activations);
      }
      activations?.release();
      await output.copyRest(this.options.signal);
      await output.finish(this.recipe);
      const record = await this.makeRecord(path, activations?.tokens ?? null);
      await output.writeDocument("run.json", record);
      return record;
    } catch (error) {
      await output.close();
      throw error;
    }
  }

  private async embedCalibration(): Promise<ActivationCache | null> {
    const { calibration } = this.recipe;
    if (!calibration) return null;
    this.meter.report(0, "calibration text");
    const { windows, notice } = await collectWindows(this.opened, this.recipe, this.options);
    if (notice) this.options.emit({ type: "notice", message: notice });
    return ActivationCache.embed(this.options.backend, this.opened.model, windows);
  }

  private async runBlock(
    index: number,
    output: QuantizedOutput,
    activations: ActivationCache | null,
  ): Promise<void> {
    const { model } = this.opened;
    const { signal, emit } = this.options;
    throwIfCancelled(signal);
    const startedMs = monotonicMs();
    const planned = new Map(
      this.plan.linears
        .filter(({ block }) => block === index)
        .map(({ slot, scheme }) => [slot, scheme]),
    );
    this.meter.report(index, "weights");
    const block = await model.loadBlock(index);
    const schemeOf = (slot: string): Scheme | null => planned.get(slot) ?? null;
    await this.transform(block, { index, output, activations, schemeOf });
    await quantizeBlock(block, {
      model,
      method: this.method,
      options: this.recipe.options,
      blockIndex: index,
      activations,
      trueSequential: this.recipe.trueSequential,
      schemeOf,
      signal,
      onActivity: (activity) => this.meter.report(index, activity),
      onLinear: async (linear, weight) => {
        await output.writeLinear(linear.module, weight);
        this.linears.push(linear);
        this.meter.advance(linear.weights);
        emit({ type: "linear", linear });
        this.meter.report(index, linear.slot);
      },
    });
    if (activations && index + 1 < model.blockCount) {
      this.meter.report(index, "outputs");
      await activations.advance(model, block, signal);
    }
    model.releaseBlock(block);
    const { blockCount: blocks } = model;
    emit({ type: "block", block: index, blocks, elapsedMs: monotonicMs() - startedMs });
  }

  /** Runs the transforms on a block, and writes what they changed besides matrices. */
  private async transform(
    block: Block,
    { index, output, activations, schemeOf }: BlockSurroundings,
  ): Promise<void> {
    const transforms = transformsOf(this.recipe);
    if (transforms.length === 0) return;
    const { model } = this.opened;
    const { signal, emit } = this.options;
    const groups = quantizedGroups(model, this.plan.linears, index);
    const records = await transformBlock(block, {
      model,
      transforms,
      blockIndex: index,
      groups,
      activations,
      schemeOf,
      signal,
      onActivity: (activity) => this.meter.report(index, activity),
    });
    for (const [name, tensor] of changedInBlock(block, groups)) {
      await output.writeChanged(name, await tensor.read());
    }
    this.transforms.push(...records);
    for (const transform of records) emit({ type: "transform", transform });
  }

  private async makeRecord(path: string, tokens: number | null): Promise<RunRecord> {
    const { backend } = this.options;
    const made = await openModel(path, { backend });
    await made.checkpoint.close();
    made.model.releaseEnds();
    this.meter.sampleMemory();
    const { calibration } = this.recipe;
    const windows = calibration && tokens !== null ? tokens / calibration.window : null;
    return {
      fewbit: version,
      recipe: this.recipe,
      backend: { id: backend.id, level: backend.level, threads: backend.threads },
      machine: describeMachine(),
      startedAt: this.startedAt,
      elapsedMs: this.meter.elapsedMs,
      peakMemoryBytes: this.meter.peakBytes,
      peakAnonymousBytes: this.meter.peakAnonymousBytes,
      calibration: windows === null || tokens === null ? null : { windows, tokens },
      sourceBytes: this.opened.checkpoint.fileBytes,
      sizeBytes: made.sizes.file.bytes,
      bitsPerWeight: {
        linear: made.sizes.linear.bitsPerWeight,
        file: made.sizes.file.bitsPerWeight,
      },
      transforms: this.transforms,
      linears: this.linears,
      fallbacks: this.linears.filter(({ fallback }) => fallback).map(({ module }) => module),
    };
  }
}
