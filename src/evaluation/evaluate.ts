import { evaluationWindows } from "../calibration/windows.ts";
import { memoryUsage, monotonicMs, readText } from "../platform/node.ts";
import { generateText } from "../runtime/generate.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { UsageError } from "../util/errors.ts";
import type { EvaluateOptions, Evaluation } from "./evaluation.ts";
import { ScoreTotals } from "./score-totals.ts";
import { scoreWindows } from "./score-windows.ts";

const longestDefaultWindow = 2048;
const secondHalfWindow = 512;
const speedPromptTokens = 16;

/**
 * Measures a model on a text: perplexity, and against the original KL divergence and top-token agreement;
 * sizes, speed and memory beside them.
 * @throws UsageError when the text is shorter than one window, or the models' vocabularies or backends
 *   differ
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
  const length = options.window ?? defaultWindow(model, protocol);
  const text = await readText(options.text);
  const windows = evaluationWindows(text, model.tokenizer, {
    window: length,
    protocol,
    ...(options.maxWindows === undefined ? {} : { maxWindows: options.maxWindows }),
  });
  const totals = new ScoreTotals();
  let done = 0;
  let forwardTotalMs = 0;
  await scoreWindows(model, windows, {
    teacher,
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
  return {
    model: model.source,
    text: options.text,
    protocol,
    window: length,
    windows: windows.length,
    tokens: totals.tokens,
    perplexity: totals.perplexity,
    loss: totals.loss,
    klDivergence: totals.klDivergence,
    topTokenAgreement: totals.topTokenAgreement,
    original: describeOriginal(teacher, totals),
    ...describeSizes(model),
    tokensPerSecond: await measureSpeed(model, windows[0]?.ids, options),
    evaluationTokensPerSecond: (windows.length * length * 1000) / forwardTotalMs,
    peakMemoryBytes: memoryUsage().peakResidentBytes,
    backend: { id: backend.id, level: backend.level, threads: backend.threads },
    products,
    elapsedMs: monotonicMs() - startedMs,
  };
}

function describeOriginal(
  teacher: LanguageModel | undefined,
  { teacherLoss: loss }: ScoreTotals,
): Evaluation["original"] {
  if (!teacher || !loss) return null;
  const perplexity = Math.exp(loss.mean);
  return { model: teacher.source, perplexity, loss, ...describeSizes(teacher) };
}

function describeSizes({ sizes }: LanguageModel): Pick<Evaluation, "sizeBytes" | "bitsPerWeight"> {
  return {
    sizeBytes: sizes.file.bytes,
    bitsPerWeight: { linear: sizes.linear.bitsPerWeight, file: sizes.file.bitsPerWeight },
  };
}

function defaultWindow(model: LanguageModel, protocol: "windows" | "second-half"): number {
  const longest = protocol === "windows" ? longestDefaultWindow : secondHalfWindow;
  return Math.min(longest, model.config.contextLength);
}

function expectSameVocabulary(model: LanguageModel, teacher: LanguageModel | undefined): void {
  if (!teacher || teacher.config.vocabularySize === model.config.vocabularySize) return;
  throw new UsageError(
    `${model.name} has ${model.config.vocabularySize} tokens, ${teacher.name} has ` +
      `${teacher.config.vocabularySize}: expected a model and its original`,
  );
}

/** Ops of two backends have no order between them, so one's logits could be read before they are there. */
function expectSameBackend(model: LanguageModel, teacher: LanguageModel | undefined): void {
  if (!teacher || teacher.backend === model.backend) return;
  throw new UsageError("the model and its original were loaded on different backends", {
    hint: "load both with the same backend and number of threads",
  });
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
