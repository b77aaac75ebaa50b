import type { HubOrigin } from "../hub/resolve-model.ts";
import type { TransformedPart } from "../methods/define-method.ts";
import type { VocabularyRole } from "../nn/quantizable-model.ts";
import type { MachineDescription } from "../platform/node.ts";
import type { AllocationRecord } from "./allocation-record.ts";
import type { Usage } from "./run-clock.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { TrainingRecord } from "./training-record.ts";

/** What happened to one linear layer. */
export interface LinearRecord {
  readonly module: string;
  readonly block: number;
  /** Name below the block. */
  readonly slot: string;
  readonly scheme: string;
  readonly bitsPerWeight: number;
  readonly weights: number;
  /**
   * Of the weight as the transforms left it: `‖X·(W − Ŵ)ᵀ‖² / ‖X·Wᵀ‖²` over a sample of the layer's
   * calibration inputs; without calibration `‖W − Ŵ‖² / ‖W‖²`.
   */
  readonly relativeError: number;
  readonly errorOf: "outputs" | "weights";
  /** Damping of the Hessian at last, as a fraction of its mean diagonal. */
  readonly damping?: number;
  /** Calibration tokens that the router sent to it; absent where it is no expert's. */
  readonly tokens?: number;
  /** Why the layer was quantized by a simpler way than asked for. */
  readonly fallback?: string;
  readonly elapsedMs: number;
}

/** What happened to embedding or output head. */
export interface VocabularyTableRecord {
  readonly module: string;
  /** Both when embedding and output head are one table. */
  readonly roles: readonly VocabularyRole[];
  readonly scheme: string;
  readonly bitsPerWeight: number;
  readonly weights: number;
  /** `‖W − Ŵ‖² / ‖W‖²`. */
  readonly relativeError: number;
  readonly elapsedMs: number;
}

/** What a transform did to one block. */
export interface TransformRecord {
  readonly method: string;
  readonly block: number;
  readonly parts: readonly TransformedPart[];
  readonly elapsedMs: number;
}

/** What a quantizer of whole blocks did to one block. */
export interface BlockRecord {
  readonly block: number;
  /** Figures of the method's own, such as its loss before and after. */
  readonly figures: Readonly<Record<string, number>>;
  /** What its training began with, where another quantizer made that, and how long this took. */
  readonly start?: { readonly method: string; readonly elapsedMs: number };
  readonly elapsedMs: number;
}

/** What a finisher did to the quantized model. */
export interface FinisherRecord {
  readonly method: string;
  readonly startedAt: string;
  readonly elapsedMs: number;
  /** Windows and tokens of the text that it trained on. */
  readonly text: RunRecord["calibration"];
  readonly training: TrainingRecord | null;
  /** `‖Ŵ' − Ŵ‖² / ‖Ŵ‖²`, by how much it changed the decoded weights, mean over the linears. */
  readonly change: number;
}

/** How a run that was interrupted was resumed. */
export interface Resumption {
  /** When the interrupted run was last known to be at work, ISO. */
  readonly interruptedAt: string;
  readonly resumedAt: string;
  /** Number of blocks that were finished and not done again. */
  readonly blocks: number;
  /** Number of steps of a training that were done and not done again. */
  readonly steps?: number;
}

/** The record of a run, written to `run.json` beside the weights. */
export interface RunRecord extends Usage {
  readonly fewbit: string;
  readonly recipe: Recipe;
  /** SHA-256 of all that the bytes of the result depend on. */
  readonly identity: string;
  /** Repository and commit of a model that came from the Hugging Face Hub. */
  readonly origin: HubOrigin | null;
  readonly backend: { readonly id: string; readonly level: string; readonly threads: number };
  readonly machine: MachineDescription;
  readonly startedAt: string;
  /** Empty when the run was never interrupted. */
  readonly resumptions: readonly Resumption[];
  readonly calibration: { readonly windows: number; readonly tokens: number } | null;
  readonly sourceBytes: number;
  readonly sizeBytes: number;
  readonly bitsPerWeight: { readonly linear: number; readonly file: number };
  /** In the order in which they ran; empty without transforms. */
  readonly transforms: readonly TransformRecord[];
  readonly linears: readonly LinearRecord[];
  /** Of methods that quantize whole blocks; otherwise empty. */
  readonly blocks: readonly BlockRecord[];
  /** Of methods that train the whole model. */
  readonly training?: TrainingRecord;
  /** What was done to the quantized model afterwards; absent without finishers. */
  readonly finishers?: readonly FinisherRecord[];
  /** Embedding and output head, where they were quantized. */
  readonly ends: readonly VocabularyTableRecord[];
  /** Modules that fell back to a simpler way. */
  readonly fallbacks: readonly string[];
  /** How the scheme of each layer was chosen; absent where the recipe says it. */
  readonly allocation?: AllocationRecord;
}

/** What a run that makes a quantized checkpoint has done. */
export interface FinishedRecords
  extends Pick<RunRecord, "transforms" | "linears" | "blocks" | "ends" | "training"> {
  /** Tokens of calibration text; null without any. */
  readonly tokens: number | null;
}
