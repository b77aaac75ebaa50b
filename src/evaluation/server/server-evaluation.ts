import type {
  EvaluateOptions,
  EvaluationProgress,
  LossFigures,
  TaskEvaluation,
  TaskProgress,
  TaskSelection,
  TextMeasurement,
} from "../evaluation.ts";
import type { ServerAddress } from "./completion-server.ts";
import type { PromptForm } from "./score-prompt.ts";

/** What is measured of the model of a server. */
export interface EvaluateServerOptions
  extends TaskSelection,
    Pick<EvaluateOptions<never>, "window" | "protocol" | "maxWindows"> {
  readonly text?: string;
  /** The server of the original: adds the divergence, as far as the likeliest tokens tell. */
  readonly against?: ServerAddress;
  /** How many of the likeliest tokens servers are asked for; default 20 with an original. */
  readonly top?: number;
  /** Requests at once; default 4. */
  readonly atOnce?: number;
  readonly onProgress?: (progress: EvaluationProgress) => void;
  readonly onTaskProgress?: (progress: TaskProgress) => void;
  readonly signal?: AbortSignal | undefined;
}

type Scores = Pick<TaskEvaluation, "tasks" | "averages">;

/** What was measured on a text, and of the divergence, how it was found. */
export interface ServerTextMeasurement extends TextMeasurement {
  /**
   * How many of the likeliest tokens the divergence is made of; it is a lower bound. Null without an
   * original.
   */
  readonly divergenceOfTop: number | null;
}

/** The result of measuring a server. */
export interface ServerEvaluation extends Scores, Partial<ServerTextMeasurement> {
  /** Address and name of the model. */
  readonly model: string;
  /** The text's file. */
  readonly text?: string;
  /** In which form prompts were sent. */
  readonly prompts: PromptForm | null;
  /** The original on the same text; null without one. */
  readonly original: (Partial<LossFigures> & Scores & { readonly model: string }) | null;
  readonly elapsedMs: number;
}
