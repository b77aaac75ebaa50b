import type { Backend } from "../backend/backend.ts";
import type { DownloadProgress } from "../hub/download-progress.ts";
import type { Method } from "../methods/define-method.ts";
import type { OpenedModel } from "../runtime/load.ts";
import type { ModelSizes } from "../runtime/model-sizes.ts";
import type { AllocationRecord } from "./allocation-record.ts";
import type { PipelineEvent } from "./events.ts";
import type { Plan } from "./plan.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { ResumeChoice } from "../recipe/resume-choice.ts";
import type { RunIdentity } from "./identity.ts";
import type { RunRecord } from "./run-record.ts";
import type { SourceFiles } from "./source-files.ts";

/** What a run needs besides its recipe. */
export interface RunOptions {
  readonly backend: Backend;
  /** Replace an existing output. */
  readonly overwrite?: boolean;
  /** What to do about an unfinished run to the same output; default `auto`. */
  readonly resume?: ResumeChoice;
  /** Folder where runs keep what they have in common: the tokens of their calibration text. */
  readonly sharedFolder?: string | undefined;
  /** How the scheme of each layer was chosen; absent where the recipe says it. */
  readonly allocation?: AllocationRecord | undefined;
  /** Draws an allocation, for a file beside the weights. */
  readonly drawAllocation?: ((record: AllocationRecord) => string) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears of the model's download, as the events do. */
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
  readonly emit: (event: PipelineEvent) => void;
}

/** Importance of the columns of layers, out of a file. */
export interface ImportanceLookup {
  /** Importance of a module's columns `[in]`, all above 0; null where it is not known. */
  readonly of: (module: string) => Float32Array | null;
  /** What a user should know of it, a sentence each. */
  readonly notices: readonly string[];
}

/** Everything about a run that is settled before its work, whether its model is known or not. */
export interface CheckpointJob {
  readonly opened: Pick<OpenedModel, "directory" | "name" | "origin" | "checkpoint">;
  readonly recipe: Recipe;
  readonly method: Method;
  readonly plan: Plan;
  readonly identity: RunIdentity;
  readonly sources: JobSources;
  readonly options: RunOptions;
  /** Opens and measures the checkpoint that was made. @throws FormatError when it is not whole */
  readonly measure: (path: string) => Promise<ModelSizes>;
  /** Of a finisher: what made the model that it continues with. */
  readonly earlierStage?: EarlierStage;
}

/** A run that goes by the blocks of a model that fewbit knows. */
export interface QuantizationJob extends CheckpointJob {
  readonly opened: OpenedModel;
  /** What `recipe.imatrix` holds; null without. */
  readonly importance: ImportanceLookup | null;
}

/** Files that are read, as they were when the recipe was begun with. */
export interface JobSources {
  /** Of the original and the teacher: read until the end. */
  readonly models: SourceFiles;
  /** Read once by each method. */
  readonly texts: SourceFiles;
}

/** The part of a chain of methods that is done. */
export interface EarlierStage {
  /** The recipe of the whole chain. */
  readonly recipe: Recipe;
  readonly record: RunRecord;
  /** Hash of all that the chain's result depends on; null where another stage follows. */
  readonly identity: string | null;
}
