import type { DownloadProgress } from "../hub/download-progress.ts";
import type { Plan } from "./plan.ts";
import type {
  LinearRecord,
  RunRecord,
  TransformRecord,
  VocabularyTableRecord,
} from "./run-record.ts";

/** Typed progress of a quantization: what the CLI, a server and a page all render. */
export type PipelineEvent =
  /** The model is being downloaded, before there is a plan. */
  | { readonly type: "download"; readonly progress: DownloadProgress }
  /** A recipe with finishers comes to the next method; its plan follows. */
  | {
      readonly type: "stage";
      /** From 1. */
      readonly stage: number;
      readonly stages: number;
      /** Title of the method, such as `E2E-QP`. */
      readonly title: string;
      /** Whether an interrupted run had done all of it. */
      readonly isDone: boolean;
    }
  /** Before any work. */
  | { readonly type: "plan"; readonly plan: Plan }
  /** What an interrupted run had done is kept, and the run continues with it; before any work. */
  | {
      readonly type: "resumed";
      /** Number of blocks that are finished. */
      readonly finishedBlocks: number;
      readonly blocks: number;
      /** Number of steps of a training that are done. */
      readonly finishedSteps?: number;
      /** Number of calibration windows that the model wrote already. */
      readonly finishedWindows: number;
      /** When the interrupted run was last known to be at work, ISO. */
      readonly interruptedAt: string;
    }
  /** Embedding and output head are finished, as far as they are quantized. */
  | { readonly type: "tables"; readonly tables: readonly VocabularyTableRecord[] }
  /** The model wrote a calibration window. */
  | { readonly type: "window"; readonly done: number; readonly total: number }
  /** Something the user should know; not an error. */
  | { readonly type: "notice"; readonly message: string }
  /** The work has come so far; many a second at most. */
  | {
      readonly type: "progress";
      /** 0-based index of the block at work. */
      readonly block: number;
      readonly blocks: number;
      /** What is being done: a slot name, or `inputs of self_attn.q_proj`. */
      readonly activity: string;
      /** Share of the whole work, 0 to 1. */
      readonly fraction: number;
      readonly elapsedMs: number;
      /** Null until there is something to go by. */
      readonly remainingMs: number | null;
    }
  /** A step of the training of the whole model is done. */
  | {
      readonly type: "step";
      /** Steps done, this one included. */
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      /** Factor of the schedule on the learning rate. */
      readonly rate: number;
      /** Before clipping. */
      readonly gradientNorm: number;
      readonly elapsedMs: number;
      readonly tokensPerSecond: number;
      readonly remainingMs: number;
    }
  /** A transform has changed a block. */
  | { readonly type: "transform"; readonly transform: TransformRecord }
  /** A linear layer was quantized. */
  | { readonly type: "linear"; readonly linear: LinearRecord }
  /** A block was written. */
  | {
      readonly type: "block";
      readonly block: number;
      readonly blocks: number;
      readonly elapsedMs: number;
    }
  /** The checkpoint stands under its final name. */
  | { readonly type: "done"; readonly record: RunRecord };
