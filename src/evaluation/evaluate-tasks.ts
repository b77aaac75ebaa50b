import { memoryPeak, monotonicMs } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { UsageError } from "../util/errors.ts";
import { describeSizes } from "./describe-sizes.ts";
import { expectSameBackend } from "./expect-comparable.ts";
import type {
  EvaluateTasksOptions,
  MeasureOptions,
  TaskEvaluation,
  TaskSelection,
} from "./evaluation.ts";
import { expectWritable } from "./expect-writable.ts";
import { expectGenerable, generateWith } from "./generation/generate-with.ts";
import { writeTexts } from "./generation/write-texts.ts";
import { averagesOf, tasksOfAverage } from "./tasks/averages.ts";
import { expectScorable } from "./tasks/expect-scorable.ts";
import { openTask } from "./tasks/open-task.ts";
import { scoreTask } from "./tasks/score-task.ts";
import type { Task, TaskScore } from "./tasks/task.ts";
import { writeSamples } from "./tasks/write-samples.ts";

/**
 * Measures a model on tasks and by what it writes, and the original beside it when there is one.
 * @throws FormatError when a task file is not as it should be
 * @throws UsageError when nothing is to be measured, two tasks have one name, or the models' backends
 * differ
 * @throws NumericError when the model's logits are not numbers
 */
export async function evaluateTasks(
  model: LanguageModel,
  options: EvaluateTasksOptions<LanguageModel>,
): Promise<TaskEvaluation> {
  const startedMs = monotonicMs();
  const { against: teacher, products = "exact" } = options;
  expectSameBackend(model, teacher);
  const tasks = await openTasks(options);
  expectScorable(model, tasks);
  await expectWritable(options.samples, "samples");
  if (tasks.length === 0 && !options.generate) {
    throw new UsageError("expected a text or tasks to evaluate on, or prompts to continue");
  }
  await expectGenerable(model, options);
  const scores = await scoreTasks(model, tasks, options);
  const wrote = await generateWith(model, options);
  const original = teacher && {
    model: teacher.source,
    ...describeSizes(teacher),
    ...describeScores(await scoreTasks(teacher, tasks, { ...options, products: "exact" })),
    generation: wrote.original,
  };
  const { id, level, threads } = model.backend;
  const evaluation = {
    model: model.source,
    ...describeScores(scores),
    generation: wrote.generation,
    original: original ?? null,
    ...describeSizes(model),
    ...memoryPeak(),
    backend: { id, level, threads },
    products,
    ...(model.integerOnly && { integerOnly: true as const }),
    ...(model.config.kvCache && { kvCache: model.config.kvCache }),
    elapsedMs: monotonicMs() - startedMs,
  };
  await writeSamples(evaluation, tasks, options.samples);
  await writeTexts(options.generate?.to, evaluation, evaluation.original);
  return evaluation;
}

/**
 * Opens the tasks of a selection, those of its averages last.
 * @throws FormatError when a file is not as it should be
 * @throws UsageError when a task cannot be found, or two have one name
 */
export async function openTasks(selection: TaskSelection): Promise<Task[]> {
  const tasks: Task[] = [];
  const isOpen = (name: string): boolean => tasks.some((task) => task.name === name);
  for (const task of selection.tasks ?? []) {
    const opened = await openTask(task, selection);
    if (isOpen(opened.name)) {
      throw new UsageError(`two tasks are called ${opened.name}`, {
        hint: "a task is called like its file; rename one",
      });
    }
    tasks.push(opened);
  }
  for (const id of (selection.averages ?? []).flatMap(tasksOfAverage)) {
    if (!isOpen(id)) tasks.push(await openTask(id, selection));
  }
  return tasks;
}

/** Scores of tasks, and the averages that they make up. */
export function describeScores(
  tasks: readonly TaskScore[],
): Pick<TaskEvaluation, "tasks" | "averages"> {
  return { tasks, averages: averagesOf(tasks) };
}

/** Scores a model on tasks, one after the other. */
export async function scoreTasks(
  model: LanguageModel,
  tasks: readonly Task[],
  { products = "exact", signal, onTaskProgress }: MeasureOptions<LanguageModel>,
): Promise<TaskScore[]> {
  const scores: TaskScore[] = [];
  for (const task of tasks) {
    const startedMs = monotonicMs();
    const score = await scoreTask(model, task, {
      products,
      signal,
      onProgress(done, total) {
        const elapsedMs = monotonicMs() - startedMs;
        onTaskProgress?.({
          task: task.name,
          options: done,
          totalOptions: total,
          elapsedMs,
          remainingMs: (elapsedMs * (total - done)) / done,
        });
      },
    });
    scores.push(score);
  }
  return scores;
}
