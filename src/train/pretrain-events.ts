import type { MemoryFit } from "../run/memory-fit.ts";
import type { DownloadProgress } from "../hub/download-progress.ts";
import type { TrainRecord } from "./pretrain-record.ts";

/** What a training will do, known before its first step. */
export interface TrainPlan {
  readonly parameters: number;
  readonly vocabularySize: number;
  readonly steps: number;
  readonly tokensPerStep: number;
  /** Tokens of the training text. */
  readonly textTokens: number;
  /** Times that the training text is gone through. */
  readonly epochs: number;
  readonly precision: "f32" | "bf16";
  /** Memory that it needs at its peak, estimated. */
  readonly memoryBytes: number;
  readonly fit: MemoryFit;
  readonly checkpointEvery: number;
}

/** Typed progress of a training. */
export type TrainEvent =
  /** The model to train further is being downloaded. */
  | { readonly type: "download"; readonly progress: DownloadProgress }
  /** Text is read, or a tokenizer learned; before there is a plan. */
  | { readonly type: "preparing"; readonly activity: string }
  | { readonly type: "plan"; readonly plan: TrainPlan }
  /** What an interrupted run had done is kept, and the run continues with it. */
  | {
      readonly type: "resumed";
      readonly step: number;
      readonly steps: number;
      /** When the interrupted run was last known to be at work, ISO. */
      readonly interruptedAt: string;
    }
  /** Something the user should know; not an error. */
  | { readonly type: "notice"; readonly message: string }
  /** A step is done. */
  | {
      readonly type: "step";
      /** Steps done. */
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      /** Mean of the last losses, recent ones counting more. */
      readonly smoothedLoss: number;
      /** Loss on the validation text, where it was measured after this step. */
      readonly validation: number | null;
      readonly gradientNorm: number;
      readonly learningRate: number;
      readonly tokensPerSecond: number;
      readonly elapsedMs: number;
      readonly remainingMs: number;
    }
  /** The checkpoint stands under its final name. */
  | { readonly type: "done"; readonly record: TrainRecord };
