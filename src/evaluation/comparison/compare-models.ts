import type { EvaluationWindow } from "../../calibration/windows.ts";
import { monotonicMs } from "../../platform/node.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import { UsageError } from "../../util/errors.ts";
import { compareFigures } from "./compare-figures.ts";
import { describeSizes } from "../describe-sizes.ts";
import { evaluateModel } from "../evaluate.ts";
import type { Evaluation } from "../evaluation.ts";
import { openTasks, scoreTasks } from "../evaluate-tasks.ts";
import type {
  ComparedModel,
  CompareOptions,
  FigureWithInterval,
  ModelComparison,
} from "./model-comparison.ts";
import { contextFigures, defaultWindow, openWindows, type WindowChoice } from "../open-windows.ts";
import type { Task, TaskScore } from "../tasks/task.ts";
import { expectGenerable } from "../generation/generate-with.ts";
import type { GenerationFigures } from "../generation/generation.ts";
import { measureGeneration } from "../generation/measure-generation.ts";
import { countPrompts } from "../generation/open-prompts.ts";
import { OriginalContinuations } from "../generation/original-continuations.ts";

/**
 * Measures two models on the same text, tasks and prompts, and says by paired bootstrap which is
 * better.
 * Models of other tokenizers can be compared on tasks only.
 * @throws UsageError without a text, tasks or prompts, or when the models cut the text into different tokens
 * @throws FormatError when a task file is not as it should be
 * @throws NumericError when a model's logits are not numbers
 */
export async function compareModels(
  a: LanguageModel,
  b: LanguageModel,
  options: CompareOptions<LanguageModel>,
): Promise<ModelComparison> {
  const startedMs = monotonicMs();
  const tasks = await openTasks(options);
  const { generate } = options;
  if (options.text === undefined && tasks.length === 0 && !generate) {
    throw new UsageError("expected a text, tasks or prompts to compare on");
  }
  if (generate && (await countPrompts(generate)) < 2) {
    throw new UsageError("a comparison needs at least 2 prompts, got 1", {
      hint: "ask for more",
      field: "generate.count",
      value: generate.count,
    });
  }
  await expectGenerable(a, options);
  await expectGenerable(b, options);
  const choice = options.text === undefined ? null : await shareWindows(a, b, options);
  const { against = isReference(b, a) ? b : undefined } = options;
  const first = await measure(a, choice, tasks, { ...options, against });
  const known = against === b && options.products !== "fast" ? first.text : null;
  const second = await measure(b, choice, tasks, { ...options, against: options.against }, known);
  const generations = await writeBoth([a, b], options);
  return {
    a: describe(a),
    b: describe(b),
    original: options.against?.source ?? null,
    divergence: options.against ? null : divergenceOf(first.text),
    windows: first.text?.windowLosses.length ?? 0,
    ...contextFigures(choice?.window ?? 0, shorterContext(a, b)),
    items: tasks.reduce((sum, { items }) => sum + items.length, 0),
    prompts: generations[0]?.continuations.length ?? 0,
    figures: compareFigures(
      { ...first, generation: generations[0] },
      { ...second, generation: generations[1] },
    ),
    elapsedMs: monotonicMs() - startedMs,
  };
}

/** Whether a model's predictions can be held against another's, token by token. */
function isReference(b: LanguageModel, a: LanguageModel): boolean {
  return b.backend === a.backend && b.config.vocabularySize === a.config.vocabularySize;
}

function divergenceOf(text: Evaluation | null): FigureWithInterval | null {
  const { mean, interval = null } = text?.klDivergence ?? {};
  return mean === undefined || interval === null ? null : { value: mean, interval };
}

/**
 * Measures one model.
 * @param known what was measured of another one against this one, which gave its losses too
 */
async function measure(
  model: LanguageModel,
  choice: WindowChoice | null,
  tasks: readonly Task[],
  { against, products, signal, onModel, onProgress, onTaskProgress }: CompareOptions<LanguageModel>,
  known: Evaluation | null = null,
): Promise<{ readonly text: Evaluation | null; readonly tasks: readonly TaskScore[] }> {
  onModel?.(model.name);
  const how = { products, signal, onProgress, onTaskProgress };
  const text = known?.original
    ? { ...known, ...known.original, klDivergence: null, original: null }
    : choice && (await evaluateModel(model, { ...choice, ...how, against, speedTokens: 0 }));
  // The original's own scores are not asked for, so it is not given here.
  return { text, tasks: await scoreTasks(model, tasks, how) };
}

/** Lets both models continue the prompts; what an original writes serves both. */
async function writeBoth(
  models: readonly [LanguageModel, LanguageModel],
  {
    generate: choice,
    against,
    products,
    signal,
    onModel,
    onGenerateProgress: onProgress,
  }: CompareOptions<LanguageModel>,
): Promise<readonly [GenerationFigures | null, GenerationFigures | null]> {
  if (!choice) return [null, null];
  const original = against && (await OriginalContinuations.write(against, choice, { signal }));
  const write = async (model: LanguageModel): Promise<GenerationFigures> => {
    onModel?.(model.name);
    const how = { choice, against, original, products, signal, onProgress };
    return (await measureGeneration(model, how)).generation;
  };
  try {
    return [await write(models[0]), await write(models[1])];
  } finally {
    original?.release();
  }
}

/** Chooses windows that both models can take, of the same tokens. @throws UsageError */
async function shareWindows(
  a: LanguageModel,
  b: LanguageModel,
  { text = "", window, protocol, maxWindows, beyondContext }: CompareOptions<LanguageModel>,
): Promise<WindowChoice> {
  const shared: WindowChoice = {
    text,
    window: window ?? Math.min(defaultWindow(a, protocol), defaultWindow(b, protocol)),
    protocol,
    maxWindows,
    beyondContext,
  };
  const [ofA, ofB] = [await openWindows(a, shared), await openWindows(b, shared)];
  if (!sameTokens(ofA.windows, ofB.windows)) {
    throw new UsageError(
      `${a.name} and ${b.name} cut the text into different tokens: their losses a token cannot ` +
        "be compared",
      {
        hint: "models of different tokenizers can be compared on tasks: give `tasks` and no `text`",
        field: "text",
        value: text,
      },
    );
  }
  if (ofA.windows.length < 2) {
    throw new UsageError("a comparison needs at least 2 windows of the text, got 1", {
      hint: "give more text, a shorter `window`, or a larger `maxWindows`",
      field: "text",
      value: text,
    });
  }
  return shared;
}

function shorterContext(a: LanguageModel, b: LanguageModel): number {
  return Math.min(a.config.contextLength, b.config.contextLength);
}

function sameTokens(a: readonly EvaluationWindow[], b: readonly EvaluationWindow[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ ids }, window) => ids.every((id, i) => b[window]?.ids[i] === id))
  );
}

function describe(model: LanguageModel): ComparedModel {
  const { sizeBytes, bitsPerWeight } = describeSizes(model);
  return { model: model.source, sizeBytes, bitsPerWeight };
}
