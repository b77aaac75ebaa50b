import { describeSizes } from "../evaluation/describe-sizes.ts";
import { evaluateTasks } from "../evaluation/evaluate-tasks.ts";
import type { GenerateChoice, GenerationFigures } from "../evaluation/generation/generation.ts";
import {
  describeOriginal,
  measureGeneration,
} from "../evaluation/generation/measure-generation.ts";
import { measureText } from "../evaluation/measure-text.ts";
import { namedOrOwnAverages } from "../evaluation/tasks/averages.ts";
import type { Task, TaskScore } from "../evaluation/tasks/task.ts";
import { baseName, monotonicMs } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import type { PointEvaluation } from "./recipe/sweep-recipe.ts";
import type { Original } from "./original-cache.ts";
import type { FileHashes } from "./recipe/identify-points.ts";
import type { PointResult, TaskFigures, TextFigures } from "./results/sweep-results.ts";
import { writeSamples } from "./write-samples.ts";

/** What making a checkpoint took. */
export type Made = Pick<PointResult, "makeMs" | "makeProcessorMs" | "peakMemoryBytes">;

/** What a model is measured by. */
export interface Measurement {
  readonly evaluation: PointEvaluation;
  /** The tasks of the evaluation, read. */
  readonly tasks: readonly Task[];
  /** Null for the original itself, or where divergence is not asked for. */
  readonly original: Original | null;
  /** Where the model is the original itself: what it wrote serves all its points. */
  readonly self?: Original;
  /** What making it took. */
  readonly made: Made;
  readonly hashes: FileHashes;
  readonly signal: AbortSignal;
  /** Says what is being measured, and which share of the whole is done, 0 to 1. */
  readonly onProgress: (activity: string, share: number) => void;
}

/** Measures a model on all texts and tasks, and lets it continue the prompts. */
export async function measurePoint(
  model: LanguageModel,
  measurement: Measurement,
): Promise<PointResult> {
  const { evaluation, tasks, original, made, hashes, signal, onProgress } = measurement;
  const startedMs = monotonicMs();
  const parts = evaluation.texts.length + tasks.length + (evaluation.generate ? 1 : 0);
  const texts: TextFigures[] = [];
  let speed: Pick<PointResult, "tokensPerSecond" | "tokensPerSecondRange"> = {
    tokensPerSecond: null,
  };
  for (const [index, text] of evaluation.texts.entries()) {
    const { file, ...choice } = text;
    const name = baseName(file);
    const sha256 = await hashes.sha256(file);
    const measured = await original?.measure(text, sha256, signal);
    const { figures, ...found } = await measureText(model, {
      text: file,
      ...choice,
      against: original?.model,
      measured,
      // The speed is the same whatever the text.
      speedTokens: index === 0 ? evaluation.speedTokens : 0,
      signal,
      onProgress: ({ windows, totalWindows }) =>
        onProgress(name, (index + windows / totalWindows) / parts),
    });
    const { tokensPerSecond, tokensPerSecondRange = null } = found;
    if (index === 0) speed = { tokensPerSecond, tokensPerSecondRange };
    const { loss: _, ...kept } = figures;
    texts.push({ name, sha256, ...kept });
  }
  const scores: TaskScore[] = [];
  for (const [index, task] of tasks.entries()) {
    const done = evaluation.texts.length + index;
    const { tasks: found } = await evaluateTasks(model, {
      tasks: [task],
      signal,
      onTaskProgress: ({ options, totalOptions }) =>
        onProgress(task.name, (done + options / totalOptions) / parts),
    });
    scores.push(...found);
  }
  const generation =
    evaluation.generate &&
    (await writtenBy(model, evaluation.generate, measurement, (share) =>
      onProgress("continuations", (parts - 1 + share) / parts),
    ));
  const { id, level, threads } = model.backend;
  return {
    parameters: model.sizes.parameters,
    ...describeSizes(model),
    texts,
    tasks: scores.map(taskFigures),
    averages: namedOrOwnAverages(scores).map((average) => {
      const { measure: _, ...kept } = average;
      return kept;
    }),
    ...(generation && { generation }),
    ...(evaluation.samples && { samples: await writeSamples(model, evaluation.samples, signal) }),
    ...speed,
    ...made,
    evaluationMs: monotonicMs() - startedMs,
    backend: { id, level, threads },
  };
}

/** What a model writes; what the original wrote is not written again. */
async function writtenBy(
  model: LanguageModel,
  choice: GenerateChoice,
  { original, self, hashes, signal }: Measurement,
  onShare: (share: number) => void,
): Promise<GenerationFigures> {
  const { prompts } = choice;
  const hash = prompts === undefined ? null : await hashes.sha256(prompts);
  if (self) return describeOriginal(await self.continuations(choice, hash, signal), choice);
  const { generation } = await measureGeneration(model, {
    choice,
    against: original?.model,
    original: await original?.continuations(choice, hash, signal),
    signal,
    onProgress: ({ done, total }) => onShare(done / total),
  });
  return generation;
}

function taskFigures(score: TaskScore): TaskFigures {
  const { limited: _limited, perplexity: _perplexity, answers, ...kept } = score;
  const mark = (right: boolean | null): string => (right ? "1" : "0");
  return {
    ...kept,
    sha256: score.sha256 ?? "",
    right: answers.map(({ right }) => mark(right)).join(""),
    rightNormalized:
      score.normalizedAccuracy &&
      answers.map(({ rightNormalized }) => mark(rightNormalized)).join(""),
  };
}
