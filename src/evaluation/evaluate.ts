import { memoryPeak, monotonicMs } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { describeSizes } from "./describe-sizes.ts";
import { expectSameBackend, expectSameVocabulary } from "./expect-comparable.ts";
import { describeScores, openTasks, scoreTasks } from "./evaluate-tasks.ts";
import type { EvaluateOptions, Evaluation, LossFigures } from "./evaluation.ts";
import { expectWritable } from "./expect-writable.ts";
import { expectGenerable, generateWith } from "./generation/generate-with.ts";
import type { GenerationFigures } from "./generation/generation.ts";
import { writeTexts } from "./generation/write-texts.ts";
import { measureText } from "./measure-text.ts";
import { expectScorable } from "./tasks/expect-scorable.ts";
import type { Task, TaskScore } from "./tasks/task.ts";
import { writeSamples } from "./tasks/write-samples.ts";

/**
 * Measures a model on a text: perplexity, and against the original KL divergence and top-token
 * agreement; sizes, speed and memory beside them; accuracy on tasks and what it writes to prompts
 * when that is asked for.
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
  await expectWritable(options.samples, "samples");
  await expectGenerable(model, options);
  const { figures, original, ...speeds } = await measureText(model, options);
  const scores = await scoreTasks(model, tasks, options);
  const wrote = await generateWith(model, options);
  const { id, level, threads } = model.backend;
  const evaluation: Evaluation = {
    model: model.source,
    text: options.text,
    ...figures,
    ...describeScores(scores),
    generation: wrote.generation,
    original:
      teacher && original
        ? await describeOriginal(teacher, [original, wrote.original], tasks, options)
        : null,
    ...describeSizes(model),
    ...speeds,
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

async function describeOriginal(
  teacher: LanguageModel,
  [figures, generation]: readonly [LossFigures, GenerationFigures | null],
  tasks: readonly Task[],
  options: EvaluateOptions<LanguageModel>,
): Promise<Evaluation["original"]> {
  return {
    model: teacher.source,
    ...figures,
    ...describeSizes(teacher),
    ...describeScores(await scoreOriginal(teacher, tasks, options)),
    generation,
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
