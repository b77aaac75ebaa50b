import { memoryPeak, monotonicMs } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { describeSizes } from "./describe-sizes.ts";
import { expectSameBackend, expectSameVocabulary } from "./expect-comparable.ts";
import { describeScores, openTasks, scoreTasks } from "./evaluate-tasks.ts";
import type { EvaluateOptions, Evaluation, LossFigures } from "./evaluation.ts";
import { measureText } from "./measure-text.ts";
import { expectScorable } from "./tasks/expect-scorable.ts";
import type { Task, TaskScore } from "./tasks/task.ts";
import { expectWritableSamples, writeSamples } from "./tasks/write-samples.ts";

/**
 * Measures a model on a text: perplexity, and against the original KL divergence and top-token
 * agreement; sizes, speed and memory beside them; accuracy on tasks when they are given.
 * @throws UsageError when the text is shorter than one window, or the models' vocabularies or
 * backends differ
 * @throws FormatError when a task file is not as it should be
 * @throws NumericError when the model's logits are not numbers
 */
export async function evaluateModel(
  model: LanguageModel,
  options: EvaluateOptions<LanguageModel>,
): Promise<Evaluation> {
  const startedMs = monotonicMs();
  const { against: teacher, products = "exact" } = options;
  expectSameVocabulary(model, teacher);
  expectSameBackend(model, teacher);
  const tasks = await openTasks(options);
  expectScorable(model, tasks);
  await expectWritableSamples(options.samples);
  const { figures, original, ...speeds } = await measureText(model, options);
  const { id, level, threads } = model.backend;
  const evaluation: Evaluation = {
    model: model.source,
    text: options.text,
    ...figures,
    ...describeScores(await scoreTasks(model, tasks, options)),
    original:
      teacher && original ? await describeOriginal(teacher, original, tasks, options) : null,
    ...describeSizes(model),
    ...speeds,
    ...memoryPeak(),
    backend: { id, level, threads },
    products,
    elapsedMs: monotonicMs() - startedMs,
  };
  await writeSamples(evaluation, tasks, options.samples);
  return evaluation;
}

async function describeOriginal(
  teacher: LanguageModel,
  figures: LossFigures,
  tasks: readonly Task[],
  options: EvaluateOptions<LanguageModel>,
): Promise<Evaluation["original"]> {
  return {
    model: teacher.source,
    ...figures,
    ...describeSizes(teacher),
    ...describeScores(await scoreOriginal(teacher, tasks, options)),
  };
}

/** Scores those tasks on which the original was not measured before. */
async function scoreOriginal(
  teacher: LanguageModel,
  tasks: readonly Task[],
  options: EvaluateOptions<LanguageModel>,
): Promise<TaskScore[]> {
  const known = tasks.map((task) => options.measured?.scoreOf(task) ?? null);
  const open = tasks.filter((_, index) => !known[index]);
  const scored = await scoreTasks(teacher, open, { ...options, products: "exact" });
  return known.map((score) => score ?? scored.shift()).filter((score) => score !== undefined);
}
