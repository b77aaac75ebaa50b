import type { EvaluationWindow } from "../calibration/windows.ts";
import { createHasher, memoryUsage, monotonicMs } from "../platform/node.ts";
import { generateText } from "../runtime/generate.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { describeSizes } from "./describe-sizes.ts";
import { expectSameBackend, expectSameVocabulary } from "./expect-comparable.ts";
import { describeScores, openTasks, scoreTasks } from "./evaluate-tasks.ts";
import type { EvaluateOptions, Evaluation } from "./evaluation.ts";
import { openWindows } from "./open-windows.ts";
import { ScoreTotals } from "./score-totals.ts";
import { scoreWindows } from "./score-windows.ts";
import { perplexityInterval } from "./statistics/text-intervals.ts";
import { expectScorable } from "./tasks/expect-scorable.ts";
import type { Task, TaskScore } from "./tasks/task.ts";
import { expectWritableSamples, writeSamples } from "./tasks/write-samples.ts";

const speedPromptTokens = 16;

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
  const { against: teacher, protocol = "windows", products = "exact", signal } = options;
  expectSameVocabulary(model, teacher);
  expectSameBackend(model, teacher);
  const tasks = await openTasks(options);
  expectScorable(model, tasks);
  await expectWritableSamples(options.samples);
  const { length, windows } = await openWindows(model, options);
  const totals = new ScoreTotals();
  let done = 0;
  let forwardTotalMs = 0;
  await scoreWindows(model, windows, {
    teacher,
    teacherStates: options.measured?.states,
    products,
    signal,
    onScores(scores, forwardMs) {
      for (const score of scores) totals.add(score);
      done += scores.length;
      forwardTotalMs += forwardMs;
      const elapsedMs = monotonicMs() - startedMs;
      options.onProgress?.({
        windows: done,
        totalWindows: windows.length,
        perplexity: totals.perplexity,
        elapsedMs,
        remainingMs: (elapsedMs * (windows.length - done)) / done,
      });
    },
  });
  const { backend } = model;
  const taskScores = await scoreTasks(model, tasks, options);
  const evaluation: Evaluation = {
    model: model.source,
    text: options.text,
    protocol,
    window: length,
    windows: windows.length,
    tokens: totals.tokens,
    tokensSha256: hashTokens(windows),
    perplexity: totals.perplexity,
    interval: perplexityInterval(totals.windowLosses),
    loss: totals.loss,
    windowLosses: totals.windowLosses,
    klDivergence: totals.klDivergence,
    topTokenAgreement: totals.topTokenAgreement,
    ...describeScores(taskScores),
    original: await describeOriginal(teacher, totals, tasks, options),
    ...describeSizes(model),
    tokensPerSecond: await measureSpeed(model, windows[0]?.ids, options),
    evaluationTokensPerSecond: (windows.length * length * 1000) / forwardTotalMs,
    peakMemoryBytes: memoryUsage().peakResidentBytes,
    backend: { id: backend.id, level: backend.level, threads: backend.threads },
    products,
    elapsedMs: monotonicMs() - startedMs,
  };
  await writeSamples(evaluation, tasks, options.samples);
  return evaluation;
}

async function describeOriginal(
  teacher: LanguageModel | undefined,
  { teacherLoss: loss, teacherWindowLosses: windowLosses }: ScoreTotals,
  tasks: readonly Task[],
  options: EvaluateOptions<LanguageModel>,
): Promise<Evaluation["original"]> {
  if (!teacher || !loss) return null;
  const taskScores = await scoreOriginal(teacher, tasks, options);
  return {
    model: teacher.source,
    perplexity: Math.exp(loss.mean),
    interval: perplexityInterval(windowLosses),
    loss,
    windowLosses,
    ...describeSizes(teacher),
    ...describeScores(taskScores),
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

function hashTokens(windows: readonly EvaluationWindow[]): string {
  const hasher = createHasher("sha256");
  // Little-endian on every machine that Node runs on with our kernels.
  for (const { ids } of windows) {
    hasher.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
  }
  return hasher.digest();
}

/** Decode speed of one sequence in tokens a second; null when not asked for or not possible. */
async function measureSpeed(
  model: LanguageModel,
  ids: Int32Array | undefined,
  { speedTokens = 64, signal }: EvaluateOptions<LanguageModel>,
): Promise<number | null> {
  if (speedTokens === 0 || !ids) return null;
  const prompt = ids.subarray(0, Math.min(speedPromptTokens, model.config.contextLength >> 1));
  const maxTokens = Math.min(speedTokens, model.config.contextLength - prompt.length);
  const { stats } = await generateText(model, {
    prompt,
    maxTokens,
    ignoreEos: true,
    ...(signal ? { signal } : {}),
  });
  return stats.decodeTokensPerSecond;
}
