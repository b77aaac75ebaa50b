import { memoryUsage, monotonicMs } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { UsageError } from "../util/errors.ts";
import { expectSameBackend, describeSizes } from "./compared-models.ts";
import type { EvaluateTasksOptions, MeasureOptions, TaskEvaluation } from "./evaluation.ts";
import { readTask } from "./tasks/read-task.ts";
import { scoreTask } from "./tasks/score-task.ts";
import type { Task, TaskScore } from "./tasks/task.ts";

/**
 * Measures a model on multiple-choice tasks, and the original beside it when there is one.
 * @throws FormatError when a task file is not as it should be
 * @throws UsageError when there is no task, two have one name, or the models' backends differ
 * @throws NumericError when the model's logits are not numbers
 */
export async function evaluateTasks(
  model: LanguageModel,
  options: EvaluateTasksOptions<LanguageModel>,
): Promise<TaskEvaluation> {
  const startedMs = monotonicMs();
  const { against: teacher, products = "exact" } = options;
  expectSameBackend(model, teacher);
  if (options.tasks.length === 0) throw new UsageError("expected a text or tasks to evaluate on");
  const tasks = await openTasks(options.tasks);
  const scores = await scoreTasks(model, tasks, options);
  const original = teacher && {
    model: teacher.source,
    ...describeSizes(teacher),
    tasks: await scoreTasks(teacher, tasks, { ...options, products: "exact" }),
  };
  const { id, level, threads } = model.backend;
  return {
    model: model.source,
    tasks: scores,
    original: original ?? null,
    ...describeSizes(model),
    peakMemoryBytes: memoryUsage().peakResidentBytes,
    backend: { id, level, threads },
    products,
    elapsedMs: monotonicMs() - startedMs,
  };
}

/** Reads those tasks that are given as files. @throws FormatError; UsageError when two have one name */
export async function openTasks(given: readonly (string | Task)[]): Promise<Task[]> {
  const tasks: Task[] = [];
  for (const task of given) {
    const opened = typeof task === "string" ? await readTask(task) : task;
    if (tasks.some(({ name }) => name === opened.name)) {
      throw new UsageError(`two tasks are called ${opened.name}`, {
        hint: "a task is called like its file; rename one",
      });
    }
    tasks.push(opened);
  }
  return tasks;
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
