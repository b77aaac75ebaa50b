import type { ModelFigures, TextMeasurement } from "../../evaluation/evaluation.ts";
import type { GenerationFigures } from "../../evaluation/generation/generation.ts";
import type { OwnAverage } from "../../evaluation/tasks/averages.ts";
import type { TaskScore } from "../../evaluation/tasks/task.ts";
import type { MachineDescription } from "../../platform/node.ts";
import type { AllocationFigures } from "../../run/allocation-figures.ts";
import type { RunRecord } from "../../run/run-record.ts";
import type { TrainRecord } from "../../train/pretrain-record.ts";

/** What came of a quantization or a training, as its `run.json` has it. */
export type CheckpointRecord = RunRecord | TrainRecord;

/** What is measured once in a sweep: a model, or what one chain of methods makes of it. */
export interface SweepPoint {
  /** Hash of all that the result depends on, in lower-case hexadecimal. */
  readonly id: string;
  /** Id of the model in the recipe. */
  readonly model: string;
  /** Name for people, one among a model's points: `gptq w2g64`; `original` for itself. */
  readonly label: string;
  /**
   * Ids of the methods in the order in which they run, joined by `+`; `train` for a float model
   * that was trained further; null for the original.
   */
  readonly method: string | null;
  /** Preset that named the chain; null without one. */
  readonly preset: string | null;
  /**
   * Scheme id of the linear layers; what was asked for where bits were chosen for each (`2.5bpw`);
   * null for float models.
   */
  readonly scheme: string | null;
  /**
   * Bits that the scheme is named after: 1, 1.58, 2, 3, 4, 8; 16 for float models; those that were
   * asked for where they were chosen for each layer, 0 where that was a size or a speed.
   */
  readonly bits: number;
  readonly seed: number;
}

/** What was measured on one text. */
export interface TextFigures extends Omit<TextMeasurement, "loss"> {
  /** File name without its folder. */
  readonly name: string;
  readonly sha256: string;
}

/** What was measured on one task. */
export interface TaskFigures
  extends Omit<TaskScore, "sha256" | "limited" | "perplexity" | "answers"> {
  readonly sha256: string;
  /** `1` for each item that was answered rightly, `0` for the others, in the order of the file. */
  readonly right: string;
  readonly rightNormalized: string | null;
}

/** Mean over a set of tasks: one that a paper reports, or all of the sweep. */
export interface AverageFigures extends Omit<OwnAverage, "name" | "measure"> {
  readonly name: string;
}

/** A text that a model continued. */
export interface Sample {
  readonly prompt: string;
  readonly continuation: string;
}

/** The result of a point. */
export interface PointResult extends ModelFigures {
  readonly texts: readonly TextFigures[];
  readonly tasks: readonly TaskFigures[];
  readonly averages: readonly AverageFigures[];
  /** What it writes to the prompts of `generate`; absent where the recipe asks for none. */
  readonly generation?: GenerationFigures;
  /** Absent where the recipe asks for none. */
  readonly samples?: readonly Sample[];
  /** Bits that were chosen for each layer; in results that reports are made from. */
  readonly allocation?: AllocationFigures;
  readonly backend: { readonly id: string; readonly level: string; readonly threads: number };
}

/** What is known of one point of a sweep. */
export interface PointRecord {
  readonly point: SweepPoint;
  readonly status: "waiting" | "running" | "done" | "failed";
  /** How often it was begun. */
  readonly attempts: number;
  /** Why the last attempt failed. */
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
  } | null;
  /** What reproduces the point on the command line; null for the original. */
  readonly command: string | null;
  /** Version of fewbit that made it; null before it was begun. */
  readonly fewbit: string | null;
  readonly machine: MachineDescription | null;
  /** ISO. */
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly result: PointResult | null;
  /** Record of the quantization; null for the original, and where it was left out. */
  readonly run: CheckpointRecord | null;
}

/** All points of a sweep, in the order of its recipe; what reports are made from. */
export interface SweepResults {
  readonly format: 1;
  readonly name: string;
  /** The recipe as it was read. */
  readonly recipe: unknown;
  readonly points: readonly PointRecord[];
}
