import type { Backend } from "../../backend/backend.ts";
import type { Products } from "../../backend/packed-operand.ts";
import type { JsonRecord } from "../../util/json.ts";
import type { HubOrigin } from "../../hub/resolve-model.ts";
import type { ModelCheckpoint } from "../../runtime/model-checkpoint.ts";

/** Dtypes that decoded weights can be written in. */
export const exportDTypes = ["f32", "f16", "bf16"] as const;

/** Dtype of decoded weights; only `f32` holds every decoded value exactly. */
export type ExportDType = (typeof exportDTypes)[number];

/** What formats can be told besides where to write; each takes some of it. */
export interface FormatOptions {
  /** How decoded weights are stored. */
  readonly dtype?: ExportDType | undefined;
  /** Type of the weights: one of ggml in lower case (`q4_0`), or a mixture (`Q4_K_M`). */
  readonly type?: string | undefined;
  /** Rounds weights that the type does not hold exactly, and measures what that costs. */
  readonly requantize?: boolean | undefined;
  /** Bytes of one file at most. */
  readonly splitSize?: number | undefined;
  /** Name of the tokenizer's pre-tokenization, where it is not known by what it does. */
  readonly pre?: string | undefined;
  /** How other programs are to multiply: `fast` lets them round inputs to 8 bits. */
  readonly products?: Products | undefined;
  /** Reads what was written again and compares it with the source. */
  readonly verify?: boolean | undefined;
}

/** How a checkpoint is exported. */
export interface WriteOptions extends FormatOptions {
  readonly out: string;
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears what a user should know of the checkpoint and of an interrupted export, a line each. */
  readonly onNotice?: ((notice: string) => void) | undefined;
  /** Called after each tensor. */
  readonly onProgress?: (progress: ExportProgress) => void;
}

/** How far an export is. */
export interface ExportProgress {
  readonly done: number;
  readonly total: number;
  readonly tensor: string;
}

/** A model to be exported. */
export interface ExportSource extends Pick<ModelCheckpoint, "checkpoint" | "config"> {
  /** Where it lies. */
  readonly path: string;
  /** Name for people. */
  readonly name: string;
  readonly origin: HubOrigin | null;
  /** Computes what has to be computed. */
  readonly backend: Backend;
  /** The run that made it; null for what its run.json says. */
  readonly record: JsonRecord | null;
}

/** What will be written of one tensor. */
export interface PlannedTensor {
  /** Its name in the output. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Dtype or type of ggml, in lower case. */
  readonly type: string;
  readonly sizeBytes: number;
  /** Why it is not of the type that was asked for; null when it is. */
  readonly note: string | null;
}

/** What an export will write. */
export interface ExportPlan {
  readonly format: string;
  readonly out: string;
  readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
  /** Bytes of all files. */
  readonly sizeBytes: number;
  readonly tensors: readonly PlannedTensor[];
}

/** An export that can be carried out. */
export interface PreparedExport<Result> {
  readonly plan: ExportPlan;
  /** Writes what was planned. */
  run(): Promise<Result>;
}

/** A format to export to. */
export interface ExportFormat<Result = unknown> {
  /** What it is in a few words, for people. */
  readonly title: string;
  /** Options that it takes; others are refused. */
  readonly takes: readonly (keyof FormatOptions)[];
  /**
   * Finds out what would be written, and whether it can be.
   * @throws UsageError UnsupportedError NumericError for what the format does not hold
   */
  prepare(source: ExportSource, options: WriteOptions): Promise<PreparedExport<Result>>;
  /** The same of a model that fewbit cannot run; absent where a format needs to know it. */
  readonly prepareUnknown?: (
    source: Omit<ExportSource, "config">,
    options: WriteOptions,
  ) => Promise<PreparedExport<Result>>;
}
