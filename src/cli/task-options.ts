import type { Command } from "commander";
import type { TaskSelection } from "../evaluation/evaluation.ts";
import { type AverageId, averageIds } from "../evaluation/tasks/averages.ts";
import { UsageError } from "../util/errors.ts";
import { kebabCase } from "../util/fields.ts";
import { markRareFlags } from "./help.ts";
import { choicesOption, collect, defined, nonNegativeInteger, positiveInteger } from "./options.ts";

/** Options that choose tasks. */
export interface TaskOptions extends Omit<TaskSelection, "tasks" | "averages"> {
  readonly task?: readonly string[];
  readonly average?: readonly AverageId[];
  /** Prompts are continued, whose draws have the same seed. */
  readonly generate?: unknown;
}

/** Adds the options that choose tasks. */
export function addTaskOptions(command: Command): Command {
  command
    .optionsGroup("Tasks:")
    .option(
      "--task <task>",
      "NAME=FILE, or a NAME with --tasks-from, or a FILE of JSON lines; may be repeated",
      collect,
    )
    .addOption(choicesOption("--average", averageIds, "all tasks of a published average"))
    .option("--tasks-from <dir>", "folder of the tasks' files, such as piqa.jsonl")
    .option(
      "--shots <n>",
      "answered examples in front of each item (default: 0)",
      nonNegativeInteger,
    )
    .option("--shots-from <file>", "file the examples come from (default: the task's own)")
    .option(
      "--seed <n>",
      "seed of the choice of examples, and of draws (default: 0)",
      nonNegativeInteger,
    )
    .option("--limit <n>", "only the first items of each task", positiveInteger);
  return markRareFlags(command, "--shots", "--shots-from", "--seed");
}

/** Turns the options into the library's. @throws UsageError for options of tasks without tasks */
export function readTaskOptions(options: TaskOptions): TaskSelection {
  const { task: tasks, average: averages, shots, shotsFrom, seed, limit, samples } = options;
  const how = { tasksFrom: options.tasksFrom, shots, shotsFrom, limit, samples };
  if (tasks || averages) return defined({ tasks, averages, seed, ...how });
  const seeded = options.generate === undefined ? { seed } : {};
  expectNone(
    { ...how, ...seeded },
    "says how tasks are measured, but there is no --task and no --average",
  );
  return {};
}

/** A text, a task or a prompt must be given, for options `ofText` a text. @throws UsageError */
export function expectSubject(
  options: TaskOptions & { readonly text?: string },
  ofText: Readonly<Record<string, unknown>>,
  command: string,
): void {
  readTaskOptions(options);
  if (options.text !== undefined) return;
  if (!options.task && !options.average && options.generate === undefined) {
    throw new UsageError("--text, --task or --average is missing", {
      hint: `fewbit ${command} -h begins with an example`,
    });
  }
  expectNone(ofText, "says how a text is measured, but there is no --text");
}

/** Refuses options that have nothing to act on. @throws UsageError that names the first */
export function expectNone(options: Readonly<Record<string, unknown>>, why: string): void {
  const idle = Object.keys(options).find((name) => options[name] !== undefined);
  if (idle === undefined) return;
  throw new UsageError(`--${kebabCase(idle)} ${why}`, {
    hint: "give that too, or leave the option out",
  });
}
