import type { Backend } from "../backend/backend.ts";
import type { DownloadProgress } from "../hub/download-progress.ts";
import type { ResumeChoice } from "../recipe/resume-choice.ts";
import type { OpenedModel } from "../runtime/load.ts";
import type { SourceFiles } from "../run/source-files.ts";
import type { TapePrecision } from "../tensor/tape.ts";
import type { TrainTexts } from "./identify-pretraining.ts";
import type { TrainConfig } from "./pretrain-config.ts";
import type { TrainEvent } from "./pretrain-events.ts";
import type { TrainRecord } from "./pretrain-record.ts";

/** What a training needs besides its configuration. */
export interface PretrainOptions {
  readonly backend: Backend;
  /** Directory to write. */
  readonly out: string;
  /** Replace an existing output. */
  readonly overwrite?: boolean;
  /** What to do about an unfinished run to the same output; default `auto`. */
  readonly resume?: ResumeChoice;
  readonly signal?: AbortSignal | undefined;
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
  readonly emit: (event: TrainEvent) => void;
  /** Draws the losses of a run as SVG, written to `loss.svg`. */
  readonly drawLosses: (record: TrainRecord) => string;
}

/** Everything about a training that is settled before its work. */
export interface PretrainJob {
  readonly config: TrainConfig;
  /** Model that is trained further; null for a new one. */
  readonly opened: OpenedModel | null;
  readonly texts: TrainTexts;
  /** The files of the texts, as they were before they were hashed. */
  readonly noted: SourceFiles;
  readonly precision: TapePrecision;
  readonly options: PretrainOptions;
}
