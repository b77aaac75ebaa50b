import { evaluateModel } from "../evaluation/evaluate.ts";
import { evaluateTasks } from "../evaluation/evaluate-tasks.ts";
import type { Evaluation } from "../evaluation/evaluation.ts";
import { namedOrOwnAverages } from "../evaluation/tasks/averages.ts";
import type { Task, TaskScore } from "../evaluation/tasks/task.ts";
import { baseName, monotonicMs } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import type { PointEvaluation } from "./recipe/expanded-point.ts";
import type { Original } from "./original-cache.ts";
import type { FileHashes } from "./recipe/identify-points.ts";
import type {
  AverageFigures,
  PointResult,
  TaskFigures,
  TextFigures,
} from "./results/sweep-results.ts";

/** Figures of a model, however it was made. */
export type MeasuredFigures = Omit<PointResult, "makeMs" | "peakMemoryBytes">;

/** What a model is measured by. */
export interface Measurement {
  readonly evaluation: PointEvaluation;
  /** The tasks of the evaluation, read. */
  readonly tasks: readonly Task[];
  /** Null for the original itself, or where divergence is not asked for. */
  readonly original: Original | null;
  readonly hashes: FileHashes;
  readonly signal: AbortSignal;
  /** Says what is being measured, and which share of the whole is done, 0 to 1. */
  readonly onProgress: (activity: string, share: number) => void;
}

/** Measures a model on all texts and tasks. */
export async function measurePoint(
  model: LanguageModel,
  measurement: Measurement,
): Promise<MeasuredFigures> {
  const { evaluation, tasks, original, hashes, signal, onProgress } = measurement;
  const startedMs = monotonicMs();
  const parts = evaluation.texts.length + tasks.length;
  const texts: TextFigures[] = [];
  let tokensPerSecond: number | null = null;
  for (const [index, text] of evaluation.texts.entries()) {
    const { file, window, maxWindows, protocol } = text;
    const name = baseName(file);
    const sha256 = await hashes.sha256(file);
    const measured = await original?.measure(text, sha256, signal);
    const found = await evaluateModel(model, {
      text: file,
      ...(window === undefined ? {} : { window }),
      ...(maxWindows === undefined ? {} : { maxWindows }),
      ...(protocol === undefined ? {} : { protocol }),
      ...(original && measured ? { against: original.model, measured } : {}),
      // The speed is the same whatever the text.
      speedTokens: index === 0 ? evaluation.speedTokens : 0,
      signal,
      onProgress: ({ windows, totalWindows }) =>
        onProgress(name, (index + windows / totalWindows) / parts),
    });
    if (index === 0) tokensPerSecond = found.tokensPerSecond;
    texts.push(textFigures(found, name, sha256));
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
  const { id, level, threads } = model.backend;
  const { parameters, file, linear } = model.sizes;
  return {
    parameters,
    sizeBytes: file.bytes,
    linearBytes: linear.bytes,
    bitsPerWeight: { linear: linear.bitsPerWeight, file: file.bitsPerWeight },
    texts,
    tasks: scores.map(taskFigures),
    averages: averagesIn(scores),
    tokensPerSecond,
    evaluationMs: monotonicMs() - startedMs,
    backend: { id, level, threads },
  };
}

function averagesIn(scores: readonly TaskScore[]): AverageFigures[] {
  return namedOrOwnAverages(scores).map(({ name, tasks, accuracy, accuracyAboveChance }) => ({
    name,
    tasks,
    accuracy,
    accuracyAboveChance,
  }));
}

function textFigures(found: Evaluation, name: string, sha256: string): TextFigures {
  const { protocol, window, windows, tokens, tokensSha256, perplexity, interval } = found;
  const { windowLosses, klDivergence, topTokenAgreement } = found;
  return {
    name,
    sha256,
    protocol,
    window,
    windows,
    tokens,
    tokensSha256,
    perplexity,
    interval,
    windowLosses,
    klDivergence,
    topTokenAgreement,
  };
}

function taskFigures(score: TaskScore): TaskFigures {
  const { name, sha256, shots, items, chance, accuracyAboveChance, answers } = score;
  const { accuracy, normalizedAccuracy } = score;
  const mark = (right: boolean | null): string => (right ? "1" : "0");
  return {
    name,
    sha256: sha256 ?? "",
    shots,
    items,
    accuracy,
    normalizedAccuracy,
    chance,
    accuracyAboveChance,
    right: answers.map(({ right }) => mark(right)).join(""),
    rightNormalized:
      normalizedAccuracy && answers.map(({ rightNormalized }) => mark(rightNormalized)).join(""),
  };
}
