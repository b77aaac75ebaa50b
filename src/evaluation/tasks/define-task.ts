import type { TaskItem, TaskRule } from "./task.ts";
import type { TaskRecord } from "./task-record.ts";

/** A task by name: where its data come from and how a record of them becomes a question. */
export interface TaskDefinition {
  /** Name on the command line and in results. */
  readonly id: string;
  readonly title: string;
  /** Where the questions come from; null for files of one's own. */
  readonly paper: { readonly arxiv: string } | null;
  /** Names that its data file may have in a folder of tasks, without `.jsonl`. */
  readonly files: readonly string[];
  /** The task of lm-evaluation-harness whose prompt and scoring it follows; null for none. */
  readonly follows: string | null;
  /** Where it does not, or the data do not allow it; a sentence each. */
  readonly deviations: readonly string[];
  /** When an item counts as answered rightly. */
  readonly rule: TaskRule;
  /** Whether accuracy by length (`acc_norm`) is among its figures. */
  readonly normalized: boolean;
  /** A line of the data file. */
  readonly example: string;
  /** Turns a line into a question. @throws FormatError that names line and field */
  readonly read: (record: TaskRecord) => TaskItem;
}

/** Defines a task; see docs/tasks.md. */
export function defineTask<const D extends TaskDefinition>(definition: D): D {
  return definition;
}
