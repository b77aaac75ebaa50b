import type { Products } from "../backend/packed-operand.ts";
import type { KvRounding } from "../quant/activation-grid.ts";
import type { MemoryPeak } from "../platform/node.ts";
import type {
  GenerateSelection,
  GenerationFigures,
  GenerationProgress,
} from "./generation/generation.ts";
import type { Interval } from "./statistics/interval.ts";
import type { AverageId, NamedAverage } from "./tasks/averages.ts";
import type { OpenTaskOptions } from "./tasks/open-task.ts";
import type { Task, TaskScore } from "./tasks/task.ts";
import type { TeacherMeasurement } from "./teacher-measurement.ts";

/** How to evaluate, on a text or on tasks. */
export interface MeasureOptions<Model> {
  /** The original: adds KL divergence and top-token agreement, and its own scores of the tasks. */
  readonly against?: Model | undefined;
  /** How the model's packed weights multiply: `exact` (default), or `fast` as generation does. */
  readonly products?: Products | undefined;
  /** Whether the model's forward passes are of integers alone, from token ids to logits. */
  readonly integerOnly?: boolean;
  readonly onTaskProgress?: ((progress: TaskProgress) => void) | undefined;
  readonly onGenerateProgress?: ((progress: GenerationProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which tasks, and how their items are made. */
export interface TaskSelection extends OpenTaskOptions {
  /** Tasks: `name=FILE`, `FILE`, a `name` whose file is in `tasksFrom`, or tasks in memory. */
  readonly tasks?: readonly (string | Task)[];
  /** Also the tasks of these averages, from `tasksFrom`. */
  readonly averages?: readonly AverageId[];
  /** File that every item's log-likelihoods are written to, as JSON lines. */
  readonly samples?: string | undefined;
}

/** Whether a model is judged by what it writes. */
export interface PromptSelection {
  /** Prompts that the model continues; with an original (`against`) that one continues them too. */
  readonly generate?: GenerateSelection | undefined;
}

/** Tasks to evaluate on, or prompts to continue. */
export interface EvaluateTasksOptions<Model>
  extends MeasureOptions<Model>,
    TaskSelection,
    PromptSelection {
  readonly text?: never;
}

/** A text to evaluate on, and perhaps tasks and prompts. */
export interface EvaluateOptions<Model>
  extends MeasureOptions<Model>,
    TaskSelection,
    PromptSelection {
  /**
   * Text file, tokenised once and cut into windows; of JSON, a document a line or an item, an empty
   * line between them.
   */
  readonly text: string;
  /** Tokens a window; by default 2048, or the model's context when that is shorter. */
  readonly window?: number | undefined;
  /** Allow windows that are longer than the model's context, on which it was never trained. */
  readonly beyondContext?: boolean | undefined;
  /**
   * `windows`: non-overlapping windows, BOS once at the start of the text, every prediction counts
   * (the protocol of the GPTQ papers). `second-half`: BOS in each window, only the second half
   * counts (llama.cpp; window 512 by default).
   */
  readonly protocol?: "windows" | "second-half" | undefined;
  /** Stop after this many windows. */
  readonly maxWindows?: number | undefined;
  /** What `measureTeacher` gave of the original (`against`) on the same windows: not run again. */
  readonly measured?: TeacherMeasurement | undefined;
  /** Tokens to generate for the speed figure; 0 leaves it out. */
  readonly speedTokens?: number;
  readonly onProgress?: ((progress: EvaluationProgress) => void) | undefined;
}

/** How far an evaluation on a text has come. */
export interface EvaluationProgress {
  readonly windows: number;
  readonly totalWindows: number;
  /** Perplexity over the windows so far. */
  readonly perplexity: number;
  readonly elapsedMs: number;
  readonly remainingMs: number | null;
}

/** How far a task has come. */
export interface TaskProgress {
  readonly task: string;
  /** Options scored so far, of all options of the task. */
  readonly options: number;
  readonly totalOptions: number;
  readonly elapsedMs: number;
  readonly remainingMs: number | null;
}

/** Bytes and bits of a model's weight files. */
export interface ModelSizes {
  /** Bytes of the weight files. */
  readonly sizeBytes: number;
  /** Those of them that store the weights of the blocks' linear layers. */
  readonly linearBytes: number;
  readonly bitsPerWeight: { readonly linear: number; readonly file: number };
}

/** What may be unknown. */
type OrNull<T> = { readonly [Key in keyof T]: T[Key] | null };

/** What a model takes to store, to make (peak memory, too), to run and to measure. */
export interface ModelFigures extends ModelSizes, OrNull<MemoryPeak> {
  /** Parameters of the whole model, tied ones counted once. */
  readonly parameters: number;
  /** Decode speed of one sequence; null when it was not measured. */
  readonly tokensPerSecond: number | null;
  /** The slowest and the fastest piece of that generation; absent where it was one piece. */
  readonly tokensPerSecondRange?: Interval | null;
  /** Time to make it; as its peak of memory, null for what was not made. */
  readonly makeMs: number | null;
  /** Time that all cores together worked for that; absent where it was not measured. */
  readonly makeProcessorMs?: number | null;
  readonly evaluationMs: number;
}

/** What a model was measured on, and what came of it. */
interface Scored extends ModelSizes {
  readonly model: string;
  /** The scores of the tasks, in the order in which they were given. */
  readonly tasks: readonly TaskScore[];
  /** The named averages whose tasks are all there, whole and without examples. */
  readonly averages: readonly NamedAverage[];
  /** What shows in what it writes; null where that was not asked for. */
  readonly generation: GenerationFigures | null;
}

/** The result of an evaluation on tasks and prompts alone. */
export interface TaskEvaluation extends Scored, MemoryPeak {
  /** The original on the same tasks and prompts; null without an original. */
  readonly original: Scored | null;
  readonly backend: { readonly id: string; readonly level: string; readonly threads: number };
  /** How packed weights were multiplied. */
  readonly products: Products;
  /** Present where the forward passes had no floats between token ids and logits. */
  readonly integerOnly?: true;
  /** What keys and values were rounded to; absent where they were not. */
  readonly kvCache?: KvRounding;
  readonly elapsedMs: number;
}

/** KL(original ‖ model), in nats a token. */
export interface DivergenceFigures {
  readonly mean: number;
  /** 95 % interval of the mean over windows; null with one window. */
  readonly interval: Interval | null;
  readonly percentile99: number;
  /** 95 % interval of the 99th percentile; null with one window. */
  readonly percentile99Interval: Interval | null;
  readonly maximum: number;
  /** Mean of each window, in the order of the text. */
  readonly windowMeans: readonly number[];
}

/** How well a model predicts a text. */
export interface LossFigures {
  /** Exponential of the mean loss in nats a token. */
  readonly perplexity: number;
  /** 95 % interval of the perplexity, over windows; null with one window. */
  readonly interval: Interval | null;
  /** Mean loss in nats a token, and the standard error of the mean over windows. */
  readonly loss: { readonly mean: number; readonly standardError: number };
  /** Mean loss of each window in nats a token, in the order of the text. */
  readonly windowLosses: readonly number[];
}

/** What is measured on a text. */
export interface TextMeasurement extends LossFigures {
  readonly protocol: "windows" | "second-half";
  readonly window: number;
  readonly windows: number;
  /**
   * The context of the model, where windows are longer: on positions from there on it was never
   * trained.
   */
  readonly beyondContext?: number;
  /** Predictions that were scored. */
  readonly tokens: number;
  /**
   * SHA-256 of the token ids of all windows, in order: where it is the same, two models were asked
   * the same questions, and their losses may be compared window by window.
   */
  readonly tokensSha256: string;
  /** KL(original ‖ model) in nats a token; null without an original. */
  readonly klDivergence: DivergenceFigures | null;
  /** Share of tokens where both models' most likely token is the same; null without an original. */
  readonly topTokenAgreement: number | null;
}

/** The result of an evaluation on a text, and on tasks if there were any. */
export interface Evaluation
  extends TaskEvaluation,
    TextMeasurement,
    Pick<ModelFigures, "tokensPerSecond" | "tokensPerSecondRange"> {
  readonly text: string;
  /** The original on the same text and tasks, for comparison; null without an original. */
  readonly original: (Scored & LossFigures) | null;
  /** Speed of this evaluation's forward passes, in tokens a second. */
  readonly evaluationTokensPerSecond: number;
}
