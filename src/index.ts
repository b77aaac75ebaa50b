import { type BackendOptions, openBackend, registerBackend } from "./backend/registry.ts";
import { evaluateModel } from "./evaluation/evaluate.ts";
import type { EvaluateOptions, Evaluation } from "./evaluation/evaluation.ts";
import { createNativeBackend } from "./kernels/native/native-backend.ts";
import { createReferenceBackend } from "./kernels/reference/index.ts";
import type { Plan } from "./pipeline/plan.ts";
import { planRecipe, runRecipe } from "./pipeline/quantize.ts";
import { type QuantizeOptions, toRecipe } from "./pipeline/quantize-options.ts";
import { type QuantizeRun, startRun } from "./pipeline/quantize-run.ts";
import type { LanguageModel } from "./runtime/language-model.ts";
import { load as loadModel } from "./runtime/load.ts";

/*
 * The public API of fewbit. This is the one library file that knows which backends there are.
 */

registerBackend("native", (options) => createNativeBackend(options));
registerBackend("reference", () => createReferenceBackend());

/** Which backend does the work, and who hears about it. */
export interface ApiOptions extends BackendOptions {
  /** Takes one-line notices, such as why a slower backend is used. */
  readonly onNotice?: (notice: string) => void;
  readonly signal?: AbortSignal;
}

/** A checkpoint directory, or a model that is loaded already. */
export type ModelSource = string | LanguageModel;

/**
 * Loads a Hugging Face checkpoint directory, plain or quantized by fewbit, with its tokenizer.
 *
 * @example
 * const model = await load("./models/prose-6m");
 * for await (const { text } of generate(model, { prompt: "It was a" })) process.stdout.write(text);
 *
 * @throws FormatError NumericError UnsupportedError BackendError
 */
export async function load(path: string, options: ApiOptions = {}): Promise<LanguageModel> {
  const backend = backendFor(options);
  return loadModel(path, { backend, ...(options.signal ? { signal: options.signal } : {}) });
}

/**
 * Quantizes a checkpoint into the directory `out`, streaming block by block. Await the returned run for
 * its result; iterate over its `events` for progress.
 *
 * @example
 * const run = quantize("./models/prose-6m", {
 *   method: "gptq", scheme: "w2g64", calibration: "train.txt", out: "./prose-6m-w2",
 * });
 * for await (const event of run.events) render(event);
 * const { record } = await run;
 *
 * When a run to the same `out` was interrupted, its finished part is kept and gone on with, to the same
 * bytes; see the option `resume`.
 *
 * @throws FewbitError (as rejection) of the kind that fits; nothing stands under `out` then
 */
export function quantize(model: ModelSource, options: QuantizeOptions & ApiOptions): QuantizeRun {
  return startRun(options.out, async (emit) => {
    const notify = (message: string): void => emit({ type: "notice", message });
    const backend = backendFor({ ...options, onNotice: options.onNotice ?? notify });
    const recipe = toRecipe(pathOf(model), options);
    const { overwrite = false, resume = "auto", signal } = options;
    return runRecipe(recipe, { backend, overwrite, resume, signal, emit });
  });
}

/** Says what `quantize` with these options would do and need, without doing it. */
export async function planQuantization(
  model: ModelSource,
  options: QuantizeOptions & ApiOptions,
): Promise<Plan> {
  return planRecipe(toRecipe(pathOf(model), options), backendFor(options));
}

/**
 * Measures a model on a text file: perplexity, size, speed, and with `against` how far it is from the
 * original.
 *
 * @example
 * const { perplexity } = await evaluate("./prose-6m-w2", { text: "test.txt", against: "./models/prose-6m" });
 *
 * @throws FewbitError of the kind that fits
 */
export async function evaluate(
  model: ModelSource,
  options: EvaluateOptions<ModelSource> & ApiOptions,
): Promise<Evaluation> {
  const { against, ...rest } = options;
  const opened = new Map<ModelSource, LanguageModel>();
  const open = async (source: ModelSource): Promise<LanguageModel> => {
    if (typeof source !== "string") return source;
    const loaded = opened.get(source) ?? (await load(source, options));
    opened.set(source, loaded);
    return loaded;
  };
  try {
    const subject = await open(model);
    return await evaluateModel(
      subject,
      against === undefined ? rest : { ...rest, against: await open(against) },
    );
  } finally {
    for (const loaded of opened.values()) loaded.release();
  }
}

function backendFor(options: ApiOptions): ReturnType<typeof openBackend>["backend"] {
  const { backend, notice } = openBackend(options);
  if (notice) options.onNotice?.(notice);
  return backend;
}

function pathOf(model: ModelSource): string {
  return typeof model === "string" ? model : model.directory;
}

export type { Backend, BackendId } from "./backend/backend.ts";
export type { Products } from "./backend/packed-operand.ts";
export type { EvaluateOptions, Evaluation, EvaluationProgress } from "./evaluation/evaluation.ts";
export { type Method, type MethodRole } from "./methods/define-method.ts";
export { type MethodId, methods } from "./methods/index.ts";
export type { KvCacheDType } from "./nn/kv-cache.ts";
export type { PipelineEvent } from "./pipeline/events.ts";
export {
  type ExportDType,
  type ExportFormat,
  type ExportOptions,
  type ExportResult,
  exportCheckpoint,
  exportDTypes,
  exportFormats,
} from "./pipeline/export-checkpoint.ts";
export type { Plan, PlannedLinear } from "./pipeline/plan.ts";
export type { QuantizeOptions } from "./pipeline/quantize-options.ts";
export type { QuantizeResult, QuantizeRun } from "./pipeline/quantize-run.ts";
export { type Recipe, type RecipeInput, recipeSchema } from "./pipeline/recipe.ts";
export type { LinearRecord, RunRecord } from "./pipeline/run-record.ts";
export { type QTensor } from "./quant/q-tensor.ts";
export { parseScheme, type Scheme } from "./quant/scheme.ts";
export {
  type GeneratedToken,
  type GenerateOptions,
  type Generation,
  type GenerationStats,
  generate,
  generateText,
} from "./runtime/generate.ts";
export { type Inspection, inspect } from "./runtime/inspect.ts";
export type { LanguageModel } from "./runtime/language-model.ts";
export { applyChatTemplate } from "./tokenizers/chat-template.ts";
export * from "./util/errors.ts";
export { version } from "./util/version.ts";
