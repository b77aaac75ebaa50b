import type { Products } from "../backend/packed-operand.ts";

/** What to evaluate on. */
export interface EvaluateOptions<Model> {
  /** Text file, tokenised once and cut into windows. */
  readonly text: string;
  /** Tokens a window; by default 2048, or the model's context when that is shorter. */
  readonly window?: number;
  /**
   * `windows`: non-overlapping windows, BOS once at the start of the text, every prediction counts (the
   * protocol of the GPTQ papers). `second-half`: BOS in each window, only the second half counts
   * (llama.cpp; window 512 by default).
   */
  readonly protocol?: "windows" | "second-half";
  /** Stop after this many windows. */
  readonly maxWindows?: number;
  /** The original: adds KL divergence and top-token agreement. */
  readonly against?: Model;
  /** How the model's packed weights multiply: `exact` (default), or `fast` as generation does. */
  readonly products?: Products;
  /** Tokens to generate for the speed figure; 0 leaves it out. */
  readonly speedTokens?: number;
  readonly onProgress?: (progress: EvaluationProgress) => void;
  readonly signal?: AbortSignal;
}

/** How far an evaluation has come. */
export interface EvaluationProgress {
  readonly windows: number;
  readonly totalWindows: number;
  /** Perplexity over the windows so far. */
  readonly perplexity: number;
  readonly elapsedMs: number;
  readonly remainingMs: number | null;
}

/** The result of an evaluation. */
export interface Evaluation {
  readonly model: string;
  readonly text: string;
  readonly protocol: "windows" | "second-half";
  readonly window: number;
  readonly windows: number;
  /** Predictions that were scored. */
  readonly tokens: number;
  /** Exponential of the mean loss in nats a token. */
  readonly perplexity: number;
  /** Mean loss in nats a token, and the standard error of the mean over windows. */
  readonly loss: { readonly mean: number; readonly standardError: number };
  /** KL(original ‖ model) in nats a token; null without an original. */
  readonly klDivergence: {
    readonly mean: number;
    readonly percentile99: number;
    readonly maximum: number;
  } | null;
  /** Share of tokens where both models' most likely token is the same; null without an original. */
  readonly topTokenAgreement: number | null;
  /** The original on the same text, for comparison; null without an original. */
  readonly original: {
    readonly model: string;
    readonly perplexity: number;
    readonly loss: { readonly mean: number; readonly standardError: number };
    readonly sizeBytes: number;
    readonly bitsPerWeight: { readonly linear: number; readonly file: number };
  } | null;
  /** Bytes of the weight files. */
  readonly sizeBytes: number;
  readonly bitsPerWeight: { readonly linear: number; readonly file: number };
  /** Generation speed with one sequence, after a short prompt; null when it was not measured. */
  readonly tokensPerSecond: number | null;
  /** Speed of this evaluation's forward passes, in tokens a second. */
  readonly evaluationTokensPerSecond: number;
  readonly peakMemoryBytes: number;
  readonly backend: { readonly id: string; readonly level: string; readonly threads: number };
  /** How packed weights were multiplied. */
  readonly products: Products;
  readonly elapsedMs: number;
}
