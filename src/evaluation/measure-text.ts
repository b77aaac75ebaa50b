import type { EvaluationWindow } from "../calibration/windows.ts";
import { createHasher, monotonicMs } from "../platform/node.ts";
import { generateText } from "../runtime/generate.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import type { EvaluateOptions, Evaluation, LossFigures, TextMeasurement } from "./evaluation.ts";
import { contextFigures, openWindows } from "./open-windows.ts";
import { ScoreTotals } from "./score-totals.ts";
import { scoreWindows } from "./score-windows.ts";
import { speedRange } from "./speed-range.ts";

const speedPromptTokens = 16;

/** What came of a text: of the model, of the original beside it, and how fast it was. */
export interface MeasuredText
  extends Pick<
    Evaluation,
    "tokensPerSecond" | "tokensPerSecondRange" | "evaluationTokensPerSecond"
  > {
  readonly figures: TextMeasurement;
  /** Null without an original. */
  readonly original: LossFigures | null;
}

/**
 * Measures a model on the windows of a text, and how far it is from an original that has the same
 * vocabulary and backend.
 * @throws UsageError when the text is shorter than one window, or windows are longer than the
 * model's context without `beyondContext`
 * @throws NumericError when the model's logits are not numbers
 */
export async function measureText(
  model: LanguageModel,
  options: EvaluateOptions<LanguageModel>,
): Promise<MeasuredText> {
  const startedMs = monotonicMs();
  const { against: teacher, protocol = "windows", products = "exact", signal } = options;
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
  return {
    figures: {
      protocol,
      window: length,
      windows: windows.length,
      ...contextFigures(length, model.config.contextLength),
      tokens: totals.tokens,
      tokensSha256: hashTokens(windows),
      ...totals.figures,
    },
    original: totals.teacherFigures,
    ...(await measureSpeed(model, windows[0]?.ids, options)),
    evaluationTokensPerSecond: (windows.length * length * 1000) / forwardTotalMs,
  };
}

function hashTokens(windows: readonly EvaluationWindow[]): string {
  const hasher = createHasher("sha256");
  // Little-endian on every machine that Node runs on with our kernels.
  for (const { ids } of windows) hasher.update(ids);
  return hasher.digest();
}

/** Decode speed of one sequence in tokens a second; null when not asked for or not possible. */
async function measureSpeed(
  model: LanguageModel,
  ids: Int32Array | undefined,
  { speedTokens = 64, signal }: EvaluateOptions<LanguageModel>,
): Promise<Pick<Evaluation, "tokensPerSecond" | "tokensPerSecondRange">> {
  if (speedTokens === 0 || !ids) return { tokensPerSecond: null };
  const prompt = ids.subarray(0, Math.min(speedPromptTokens, model.config.contextLength >> 1));
  const maxTokens = Math.min(speedTokens, model.config.contextLength - prompt.length);
  const options = { prompt, maxTokens, ignoreEos: true, signal };
  const times: number[] = [];
  const { stats } = await generateText(model, options, () => times.push(monotonicMs()));
  return {
    tokensPerSecond: stats.decodeTokensPerSecond,
    tokensPerSecondRange: speedRange(times),
  };
}
