import type { z } from "zod";
import type { ActivationWindows } from "../calibration/activation-windows.ts";
import type { Hessian } from "../calibration/statistics/hessian.ts";
import type { InputStatistics, Statistic } from "../calibration/statistics/layer-inputs.ts";
import type { Backend } from "../backend/backend.ts";
import type { DerivedTensor, ModelRotation } from "../nn/model-rotation.ts";
import type { Block, QuantizableModel, ScaleGroup, ScorePair } from "../nn/quantizable-model.ts";
import type { LayerActivations } from "../quant/activation-grid.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import type { Scheme } from "../quant/scheme.ts";
import type { TrainableModel } from "../nn/trainable-model.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { MomentDType } from "../training/adamw.ts";
import type { StepReport, TrainingOutcome } from "../training/training-loop.ts";
import type { TrainingStore } from "../training/training-store.ts";

/** Where a method stands in a recipe: transforms*, exactly one quantizer, finishers*. */
export type MethodRole = "transform" | "quantizer" | "finisher";

/** One linear layer to be quantized. */
export interface LinearProblem<Options> {
  /** Name of the module, for messages. */
  readonly name: string;
  /** `W [out, in]` f32. The method owns it and may overwrite it. */
  readonly weight: Tensor<"f32">;
  readonly scheme: Scheme;
  /** Second moments of the layer's inputs; null unless the method needs them. */
  readonly hessian: Hessian | null;
  /**
   * Importance of each column `[in]` for the errors of its weights, all above 0: mean squares of
   * the inputs. Absent when it is not known, or the method does not use it.
   */
  readonly importance?: Float32Array | null;
  /**
   * How much the loss depends on each weight, `[out, in]` f32 from 0 up: squared gradients, summed
   * over the calibration windows. Absent unless the method needs them.
   */
  readonly sensitivities?: Tensor<"f32"> | null;
  /**
   * Why too few tokens came to the layer (an expert) for it to be quantized by its inputs; absent
   * where there were enough. A method with `needs` then falls back to a way without them.
   */
  readonly tooFew?: string;
  readonly options: Options;
}

/** What a quantizer made of one linear layer. */
export interface QuantizedLinear {
  readonly weight: QTensor;
  /** The damping that the Hessian was given at last, as a fraction of its mean diagonal. */
  readonly damping?: number;
  /** Why the layer was quantized by a simpler way than asked for; absent when it was not. */
  readonly fallback?: string;
}

/** One block to be changed before it is quantized, without changing what it computes. */
export interface BlockProblem<Options> {
  readonly model: QuantizableModel;
  /** The method owns the weights of the block and may replace them. */
  readonly block: Block;
  /**
   * The block's scale groups whose linears will all be quantized, and got inputs; others must stay
   * as they are.
   */
  readonly groups: readonly ScaleGroup[];
  /** Inputs out of the quantized blocks before it: `[windows, length, hiddenSize]` each. */
  readonly inputs: readonly Tensor<"f32">[];
  /**
   * Square roots of the weights of the tokens of each of `inputs` in what the MLP adds, `[tokens]`;
   * null where all tokens count alike.
   */
  readonly tokenFactors: readonly Tensor<"f32">[] | null;
  /**
   * What was gathered of the inputs of a slot, or of a gate of the block; null where none came, as
   * no token went to an expert.
   */
  readonly statisticsOf: (slot: string) => InputStatistics | null;
  /** The scheme that a slot will be quantized to; null when it stays as it is. */
  readonly schemeOf: (slot: string) => Scheme | null;
  /** Whether the quantizer behind it makes up for its rounding: `MethodDefinition.compensates`. */
  readonly compensated: boolean;
  /**
   * Quantizes a weight `[out, in]`, which it takes over, to the scheme of a slot as the quantizer
   * behind it would, given the second moments of the layer's inputs; null where that quantizer does
   * not work from these.
   */
  readonly tryQuantizer:
    | ((slot: string, weight: Tensor<"f32">, hessian: Hessian) => Promise<QTensor>)
    | null;
  readonly options: Options;
  /** Says what is being done now. */
  readonly report: (activity: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A model to be rotated, before any of its blocks is read. */
export interface RotationProblem<Options> {
  /** Width of the residual stream. */
  readonly hiddenSize: number;
  /** Values of a head. */
  readonly headDim: number;
  /** Whether the rotation of the stream must leave a vector of ones as it is. */
  readonly keepsOnes: boolean;
  /** Seed of every random draw. */
  readonly seed: number;
  readonly options: Options;
}

/** A rotation of the whole model to be learned, after its text is read. */
export interface RotationLearning<Options> extends RotationProblem<Options> {
  /** What the learning begins with, as `rotateModel` chose it. */
  readonly start: ModelRotation;
  /** Which tensors of a block take the rotation up, by their names. */
  readonly tensors: ReadonlyMap<string, DerivedTensor>;
  readonly backend: Backend;
  /** Number of blocks. */
  readonly blocks: number;
  /** Loads the model with its norms folded, not turned; the method owns it, and releases it. */
  readonly load: () => Promise<TrainableModel>;
  /** The scheme that a linear layer, by its full name, will be quantized to; null: none. */
  readonly schemeOf: (module: string) => Scheme | null;
  /** Calibration text, `[window]` int32 ids each. */
  readonly windows: readonly Int32Array[];
  /** Keeps the state of the training, and has that of an interrupted run. */
  readonly store: TrainingStore;
  /** Receives a report of each step. */
  readonly onStep: (report: StepReport) => void;
  /** Says what is being done now, besides steps. */
  readonly report: (activity: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What the learning of a rotation has come to. */
export interface LearnedRotation {
  readonly rotation: ModelRotation;
  readonly progress: TrainingOutcome;
}

/** What a transform did to one part of a block, for the record. */
export interface TransformedPart {
  /** Name below the block of the producer or slot that was changed. */
  readonly name: string;
  /** Figures of the method's own, such as the ratio that a search found. */
  readonly figures: Readonly<Record<string, number>>;
}

/** Activations, or gradients by them, that whoever asked for them gives back. */
export interface OwnedWindows extends ActivationWindows {
  /** Gives memory and files back. */
  release(): Promise<void>;
}

/** What a method that quantizes a block may scale in it, without changing what it computes. */
export interface ScalableChannels {
  /** Scale groups whose linears will all be quantized, and got inputs. */
  readonly groups: readonly ScaleGroup[];
  /** Queries and keys, if both will be quantized; null where they cannot be scaled. */
  readonly scores: ScorePair | null;
  /** What was gathered of the inputs of a slot or gate; null where none came. */
  readonly statisticsOf: (slot: string) => InputStatistics | null;
}

/** One block whose linears are quantized together. */
export interface WholeBlockProblem<Options> {
  readonly model: QuantizableModel;
  /**
   * The method owns the weights of the linears with a scheme and may overwrite them; other layers
   * may stand in the slots meanwhile, and those that stood there stand there again when it is done.
   */
  readonly block: Block;
  /** Inputs of the block, out of the quantized blocks before it. */
  readonly inputs: ActivationWindows;
  /** What the original block gives for its inputs out of the original blocks before it. */
  readonly targets: ActivationWindows;
  /** The scheme of a slot; null when it stays as it is. */
  readonly schemeOf: (slot: string) => Scheme | null;
  /** Scale and zero point of the inputs of a slot whose scheme fixes these; null for others. */
  readonly activationsOf?: (slot: string) => LayerActivations | null;
  /** What another quantizer made of a slot, for the training to begin with; null: nothing. */
  readonly startOf?: (slot: string) => QTensor | null;
  /**
   * Runs every window through the rest of the model, and gives the gradients of the divergence of
   * its predictions from the original's, `Σ_t KL(original ‖ quantized)` over the tokens of a window,
   * by the outputs of the block as its slots stand now; blocks behind it are the original's.
   */
  readonly outputGradients?: () => Promise<OwnedWindows>;
  /** Importance of the columns of a slot, where it is known and the method uses it. */
  readonly importanceOf?: (slot: string) => Float32Array | null;
  /** What it may scale; there where the method says that it scales channels. */
  readonly scalable?: ScalableChannels;
  /** Seed for this block. */
  readonly seed: number;
  readonly options: Options;
  /** Says what is being done now, and which share of the block's work is done, 0 to 1. */
  readonly report: (activity: string, share: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What a quantizer made of a block. */
export interface QuantizedBlock {
  /** Weights of all slots with a scheme, by slot. */
  readonly weights: ReadonlyMap<string, QTensor>;
  /** Figures of the method's own for the record, such as its loss before and after. */
  readonly figures: Readonly<Record<string, number>>;
  /** Why the block was quantized by a simpler way than asked for; absent when it was not. */
  readonly fallback?: string;
  /**
   * Whether it scaled channels: the float weights of the block, its norms and biases are then those
   * of a block that computes what it did, of which `weights` are the packed ones.
   */
  readonly scaled?: boolean;
}

/** Trial runs of a block. */
export interface Trials {
  readonly passes: number;
  readonly tokens: number;
}

/** A whole model to be trained end to end. */
export interface ModelProblem<Options> {
  /** The method owns its weights and layers, and may change and replace them. */
  readonly model: TrainableModel;
  /** The model to learn from; null unless `usesTeacher` says that the method needs one. */
  readonly teacher: TrainableModel | null;
  /** The scheme that a linear layer, by its full name, is to have; null when it stays as it is. */
  readonly schemeOf: (module: string) => Scheme | null;
  /** Training text, `[window]` int32 ids each. */
  readonly windows: readonly Int32Array[];
  /** What each token of each window is to predict, −1 for nothing; null: always the next one. */
  readonly targets: readonly Int32Array[] | null;
  readonly options: Options;
  /** Seed of every random draw. */
  readonly seed: number;
  /** Keeps the state of the training, and has that of an interrupted run. */
  readonly store: TrainingStore;
  /** Receives a report of each step. */
  readonly onStep: (report: StepReport) => void;
  /** Says what is being done now, besides steps. */
  readonly report: (activity: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What training made of a model. */
export interface TrainedModel {
  /** Packed weights by the full names of their linears: of each that was to have a scheme. */
  readonly linears: ReadonlyMap<string, QTensor>;
  /** Other trained tensors, by their names in the checkpoint; stored as the original's. */
  readonly tensors: ReadonlyMap<string, Tensor<"f32">>;
  readonly progress: TrainingOutcome;
}

/** How much a training is, for estimates of time and memory before it. */
export interface TrainingEffort {
  readonly steps: number;
  readonly microBatchTokens: number;
  /** Tokens of it whose activations are in memory at once. */
  readonly tokensAtOnce: number;
  /** Micro-batches a step. */
  readonly accumulation: number;
  /** Whether blocks are computed again for their gradients. */
  readonly recompute: boolean;
  readonly moments: MomentDType;
  /** Whether the float weights themselves are trained, and not only a few values beside them. */
  readonly trainsWeights: boolean;
}

/** The training text as far as it is known before it is read. */
export interface TrainingData {
  readonly windows: number;
  /** Tokens a window. */
  readonly window: number;
}

/** What a method has to work with, as it is known before the work. */
export interface Budget {
  readonly data: TrainingData;
  /** Those of the linears, each once. */
  readonly schemes: readonly Scheme[];
  /** Id of the quantizer that the method begins with; null: it begins by itself. */
  readonly start: string | null;
  readonly shape: {
    readonly hiddenSize: number;
    /** Columns of the widest linear. */
    readonly widest: number;
    /** Weights of all linears that are quantized. */
    readonly weights: number;
  };
}

/** What a method can do, given its options: what each role asks for, and estimates of that. */
interface MethodHooks<Options> {
  /** How often a transform runs a block to try weights, on how many tokens; for estimates. */
  readonly trials?: (options: Options) => Trials;
  /**
   * Why text or steps are too few for the method to be worth its time, in a sentence that names the
   * field to change and says what it would take; null where they are enough.
   */
  readonly budget?: (options: Options, budget: Budget) => string | null;
  /** How often each block is trained on every calibration window; for estimates. */
  readonly epochs?: (options: Options, data: TrainingData) => number;
  /** Whether it asks for the gradients by the outputs of each block; for plans. */
  readonly usesOutputGradients?: (options: Options) => boolean;
  /** Products of a layer's weight with second moments of its inputs that it takes; for estimates. */
  readonly layerProducts?: (options: Options) => number;
  /**
   * How long choosing and storing a weight's code takes, over rounding it to nearest and storing it,
   * without what is done with text; left out, 1; for estimates.
   */
  readonly roundingCost?: (options: Options) => number;
  /** Windows that such a training takes at once. */
  readonly batch?: (options: Options) => number;
  /**
   * Whether second moments and magnitudes are gathered of inputs weighted by token: by
   * `1/√mean(h²)` of the block's outputs, so that massive activations of a few do not rule.
   */
  readonly weighsTokens?: (options: Options) => boolean;
  /** Which of `needs.statistics` it needs with its options; left out, all of them. */
  readonly statistics?: (options: Options) => readonly Statistic[];
  /** Whether a quantizer of blocks scales channels as transforms do, under these schemes. */
  readonly scalesChannels?: (options: Options, schemes: readonly Scheme[]) => boolean;
  readonly quantizeLinear?: (problem: LinearProblem<Options>) => Promise<QuantizedLinear>;
  readonly quantizeBlock?: (problem: WholeBlockProblem<Options>) => Promise<QuantizedBlock>;
  readonly transformBlock?: (problem: BlockProblem<Options>) => Promise<readonly TransformedPart[]>;
  /**
   * Chooses rotations of the whole model, which are folded into the weights as they are read; other
   * transforms see the rotated model.
   */
  readonly rotateModel?: (problem: RotationProblem<Options>) => ModelRotation;
  /** Learns rotations in the place of those on the calibration text, before any block is quantized. */
  readonly learnRotation?: (problem: RotationLearning<Options>) => Promise<LearnedRotation>;
  /** Whether it learns from another model: the original, or one that the recipe names. */
  readonly usesTeacher?: (options: Options) => boolean;
  /** Whether a finisher trains embedding and output head, too, where they are floats. */
  readonly trainsTables?: (options: Options) => boolean;
  /** Trains the whole model; a method with it needs nothing else to quantize. */
  readonly trainModel?: (problem: ModelProblem<Options>) => Promise<TrainedModel>;
  /** How much that is. @throws UsageError for options that cannot be carried out with such data */
  readonly effort?: (options: Options, data: TrainingData) => TrainingEffort;
}

/** The definition of a method; see `defineMethod`. */
export interface MethodDefinition<
  Id extends string,
  Schema extends z.ZodObject,
  Role extends MethodRole = MethodRole,
> extends MethodHooks<z.output<Schema>> {
  readonly id: Id;
  readonly title: string;
  /** One sentence for menus and help texts. */
  readonly summary: string;
  readonly role: Role;
  readonly paper?: { readonly arxiv: string };
  readonly needs: {
    /** Statistics of each linear's inputs that the pipeline has to gather. */
    readonly statistics: readonly Statistic[];
    /** Whether the outputs of the original blocks are needed beside those of the quantized ones. */
    readonly floatInputs?: boolean;
    /** Whether it is told how much the loss depends on each weight (`LinearProblem`). */
    readonly sensitivities?: boolean;
  };
  /** Whether it is meant for text that the model writes itself, which it gets if none is given. */
  readonly writesText?: boolean;
  /** Whether a quantizer uses the importance of columns, where it is known. */
  readonly usesImportance?: boolean;
  /**
   * Whether a quantizer makes up for what rounding does to a weight, in other weights or by
   * training. It takes the weights that it is given for those to reproduce, so that a transform
   * should not change what they compute.
   */
  readonly compensates?: boolean;
  /**
   * Bytes a weight that training takes besides the weight: of a block, 16 when left out; of a layer
   * where layers are trained one at a time, none when left out.
   */
  readonly trainingBytes?: number;
  /** Whether a quantizer of blocks can begin with the weights that another quantizer chose. */
  readonly takesStart?: boolean;
  /**
   * Id of the quantizer that it begins with under a scheme unless a recipe names another; null: what
   * it begins with by itself.
   */
  readonly usualStart?: (scheme: Scheme) => string | null;
  /** Whether the method can quantize under a scheme. */
  readonly supports: (scheme: Scheme) => boolean;
  /**
   * The grid that a scheme without the name of one means to the method, where it takes several but
   * not the usual one; left out, the first that it takes.
   */
  readonly usualGrid?: (bits: number) => string | null;
  /**
   * Why a supported scheme is not a good choice with the quantizer of the recipe, in a sentence; null
   * when it is one.
   */
  readonly caution?: (scheme: Scheme, quantizer?: Neighbour) => string | null;
  readonly options: Schema;
}

/** What a caution may depend on of the quantizer of the recipe; unknown fields count as false. */
export interface Neighbour {
  readonly compensates?: boolean | undefined;
  /** Present where layers are trained one at a time. */
  readonly layerProducts?: unknown;
}

/** A method whose options are not known to the compiler, as shared code sees it. */
export interface Method
  extends Omit<MethodDefinition<string, z.ZodObject>, keyof MethodHooks<never>>,
    MethodHooks<Record<string, unknown>> {}

/** A declared method: its options keep their types, and shared code can take it as a `Method`. */
export type DefinedMethod<
  Id extends string,
  Schema extends z.ZodObject,
  Role extends MethodRole,
> = MethodDefinition<Id, Schema, Role> & MethodHooks<Record<string, unknown>>;

/** Declares a method. The returned value is all that the rest of fewbit knows of it. */
export function defineMethod<
  const Id extends string,
  Schema extends z.ZodObject,
  const Role extends MethodRole,
>(definition: MethodDefinition<Id, Schema, Role>): DefinedMethod<Id, Schema, Role> {
  return Object.freeze(definition) as DefinedMethod<Id, Schema, Role>;
}
