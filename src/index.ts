import type { KvRounding } from "./quant/activation-grid.ts";
import type { Backend } from "./backend/backend.ts";
import { type BackendOptions, openBackend, registerBackend } from "./backend/registry.ts";
import { compareModels } from "./evaluation/comparison/compare-models.ts";
import { evaluateModel } from "./evaluation/evaluate.ts";
import { evaluateTasks } from "./evaluation/evaluate-tasks.ts";
import type { ServerAddress } from "./evaluation/server/completion-server.ts";
import { evaluateServer as measureServer } from "./evaluation/server/evaluate-server.ts";
import type {
  EvaluateServerOptions,
  ServerEvaluation,
} from "./evaluation/server/server-evaluation.ts";
import type {
  EvaluateOptions,
  EvaluateTasksOptions,
  Evaluation,
  TaskEvaluation,
} from "./evaluation/evaluation.ts";
import type { CompareOptions, ModelComparison } from "./evaluation/comparison/model-comparison.ts";
import type { DownloadProgress } from "./hub/download-progress.ts";
import { resolveModel } from "./hub/resolve-model.ts";
import { createNativeBackend } from "./kernels/native/native-backend.ts";
import { measureNativeLimits } from "./kernels/native/native-limits.ts";
import { createReferenceBackend } from "./kernels/reference/index.ts";
import {
  type ExportOptions,
  exportCheckpoint as exportModel,
  planExport as planExportOfModel,
} from "./quantize/export-checkpoint.ts";
import type { ExportPlan } from "./quantize/export/export-format.ts";
import type { ExportResult } from "./quantize/export/index.ts";
import {
  type ImatrixOptions,
  type ImatrixResult,
  makeImatrix as measureImportance,
} from "./quantize/make-imatrix.ts";
import type { Plan } from "./run/plan.ts";
import { planRecipe, runRecipe } from "./quantize/quantize.ts";
import { type QuantizeOptions, toRecipe } from "./recipe/quantize-options.ts";
import { type QuantizeRun, type RunHandle, startRun } from "./run/run-handle.ts";
import type { PipelineEvent } from "./run/events.ts";
import type { RunRecord } from "./run/run-record.ts";
import type { ResumeChoice } from "./recipe/resume-choice.ts";
import { previewSweep, runSweep } from "./sweep/sweep.ts";
import type { SweepEvent, SweepPlan } from "./sweep/sweep-events.ts";
import type { SweepRecipeInput } from "./sweep/recipe/sweep-recipe.ts";
import type { SweepResults } from "./sweep/results/sweep-results.ts";
import type { TrainConfigInput } from "./train/pretrain-config.ts";
import type { TrainEvent } from "./train/pretrain-events.ts";
import { pretrain } from "./train/pretrain.ts";
import type { TrainRecord } from "./train/pretrain-record.ts";
import { drawAllocationChart } from "./report/allocation-chart.ts";
import { drawLossChart } from "./report/loss-chart.ts";
import { readResults } from "./sweep/results/read-results.ts";
import type { QueryResult } from "./sweep/results/answer-query.ts";
import { askResults } from "./sweep/results/open-results.ts";
import { expectFreeFile } from "./report/plan/expect-free-file.ts";
import { formatPlanPage } from "./report/plan/plan-page.ts";
import { type Report, type ReportOptions, writeReport } from "./report/sweep/write-report.ts";
import { machineHere, machinesOf, type PlanMachines } from "./machines/find-machines.ts";
import type { MachineTable } from "./machines/machine-table.ts";
import { measureMachine as measureKernels } from "./machines/measure/measure-machine.ts";
import { type ModelPlan, type PlanChoice, planModel } from "./machines/plan-model.ts";
import { readDescribedModel } from "./machines/read-model.ts";
import { usualTablePath, writeMachineTable } from "./machines/table-file.ts";
import { type Inspection, inspectCheckpoint } from "./runtime/inspect.ts";
import type { LanguageModel } from "./runtime/language-model.ts";
import type { EngineOptions } from "./runtime/serving/engine-options.ts";
import { ModelPool } from "./runtime/serving/model-pool.ts";
import { readPageAssets } from "./server/page-assets.ts";
import type { RunningServer, ServerOptions } from "./server/start-server.ts";
import { typingMemory, expectMappedFilesUnchanged, writeText } from "./platform/node.ts";
import { UsageError } from "./util/errors.ts";
import { load as loadModel } from "./runtime/load.ts";

/*
 * The public API of fewbit. This is the one library file that knows which backends there are.
 */

registerBackend("native", (options) => createNativeBackend(options));
registerBackend("reference", () => createReferenceBackend());

/** Beside this file and of its kind: TypeScript in a checkout, JavaScript in the package. */
const helper = besideThis("checkpoint-helper");
const queryHelper = besideThis("query-helper");

function besideThis(name: string): string {
  return new URL(name + (/\.\w+$/.exec(import.meta.url)?.[0] ?? ""), import.meta.url).href;
}

/** Who hears of a model's download, and how it is cancelled. */
export interface SourceOptions {
  /** Takes one-line notices, such as why a slower backend is used. */
  readonly onNotice?: (notice: string) => void;
  /** Takes the progress of a model's download from the Hugging Face Hub. */
  readonly onDownload?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
}

/** Which backend does the work, and who hears about it. */
export interface ApiOptions extends BackendOptions, SourceOptions {}

/** What a loaded model computes with. */
export interface ArithmeticOptions {
  /**
   * Whether its forward passes are of integers alone, from token ids to logits: for checkpoints of
   * 8-bit weights and activations, embedding and head among them (`w8-narrow`).
   */
  readonly integerOnly?: boolean | undefined;
  /** What keys and values are rounded to, in the place of what the checkpoint says; `f32`: nothing. */
  readonly kvCache?: KvRounding | "f32" | undefined;
}

/**
 * A checkpoint directory or GGUF file, a model of the Hugging Face Hub
 * (`hf:owner/name[@revision][:file.gguf]`), or a model that is loaded already.
 */
export type ModelSource = string | LanguageModel;

/**
 * Loads a checkpoint, plain or quantized, with its tokenizer: a Hugging Face directory, a GGUF
 * file, or `hf:owner/name[@revision][:file.gguf]`, which is downloaded unless the cache has it.
 *
 * @example
 * const model = await load("./models/prose-6m");
 * for await (const { text } of generate(model, { prompt: "It was a" })) process.stdout.write(text);
 *
 * @throws FormatError NumericError UnsupportedError BackendError NetworkError
 */
export async function load(
  source: string,
  options: ApiOptions & ArithmeticOptions = {},
): Promise<LanguageModel> {
  const resolved = await resolveModel(source, options);
  const backend = backendFor(options);
  const { signal, onNotice, integerOnly = false } = options;
  const kvCache = options.kvCache === "f32" ? null : options.kvCache;
  const how = { ...resolved, backend, kvCache, signal, onNotice, integerOnly };
  return typingMemory(loadModel(resolved.directory, how));
}

/** Describes a checkpoint without reading its weights. @throws as `load` does */
export async function inspect(source: string, options: SourceOptions = {}): Promise<Inspection> {
  const { directory, name } = await resolveModel(source, options);
  const inspection = await inspectCheckpoint(directory, name);
  for (const notice of inspection.notices) options.onNotice?.(notice);
  return inspection;
}

/** Which machine is timed, and where its table goes. */
export interface MeasureMachineOptions {
  /** File of the table; default one in the user's cache, where `plan` looks for it. */
  readonly out?: string;
  /** Numbers of threads; default the one that fewbit takes by itself, and one. */
  readonly threads?: readonly number[];
  /** Only the usual schemes at fewer shapes: some seconds in the place of a minute or two. */
  readonly quick?: boolean;
  readonly signal?: AbortSignal;
  /** Hears what is being timed. */
  readonly onProgress?: (what: string) => void;
}

/**
 * Times the kernels of this machine and keeps the table, from which `planModelSizes` predicts speeds.
 * @throws BackendError where there are no native kernels
 */
export async function measureMachine(
  options: MeasureMachineOptions = {},
): Promise<{ readonly path: string; readonly table: MachineTable }> {
  const { out: path = usualTablePath(), quick = false, signal, onProgress } = options;
  const native = (threads?: number) =>
    openBackend({ backend: "native", ...(threads === undefined ? {} : { threads }) }).backend;
  const counts = options.threads ?? [...new Set([native().threads, 1])];
  const backends = counts.map((threads) => native(threads));
  const limitsOf = (backend: Backend) => measureNativeLimits(backend.level, backend.threads);
  const table = await typingMemory(
    measureKernels({ backends, limitsOf, quick, signal, onProgress }),
  );
  await writeMachineTable(path, table);
  return { path, table };
}

/** What bits a plan compares, for which machines. */
export interface ModelPlanOptions extends PlanChoice, PlanMachines, SourceOptions {
  /** File for a page of HTML on which bits, context and machine are moved by hand; default none. */
  readonly page?: string;
  /** Replace a page that stands there already. */
  readonly overwrite?: boolean;
}

/**
 * Says what bits change of a model, from its configuration alone: parameters, storage, memory with a
 * cache, bytes and operations a token, speed on this machine and on described ones, energy, and what
 * fits. No weights are read; of a model on the Hub only its `config.json` is downloaded. (What one
 * quantization would do and need, `planQuantization` says.)
 * @param source directory, `config.json`, GGUF file or `hf:owner/name`
 * @throws FormatError UnsupportedError SchemeError UsageError NetworkError
 */
export async function planModelSizes(
  source: string,
  options: ModelPlanOptions = {},
): Promise<ModelPlan> {
  const { page, overwrite = false } = options;
  if (page !== undefined) await expectFreeFile(page, overwrite);
  const { directory, name } = await resolveModel(source, { ...options, configOnly: true });
  const model = await readDescribedModel(directory);
  const limitsHere = async () => {
    const { level, threads } = openBackend({ backend: "native" }).backend;
    return { threads, ...(await measureNativeLimits(level, threads)) };
  };
  const here = () => machineHere(limitsHere, options);
  const machines = await machinesOf(options, here);
  const plan = planModel(name, model, machines, options);
  if (page !== undefined) await writeText(page, formatPlanPage(plan, machines, model.floats));
  return plan;
}

/**
 * Writes a checkpoint in a format that other programs read: `hf` are the decoded weights of a
 * quantized checkpoint as a plain Hugging Face one, `gguf` is what llama.cpp runs.
 * @throws UsageError when the output exists, or an option is not one of the format's
 * @throws UnsupportedError for what the format does not hold, or not exactly
 * Measures how important the columns of a model's linear layers are on a text, and writes that as a
 * file of llama.cpp's form: `quantize` takes it as `imatrix`, and so does llama-quantize.
 * @throws FewbitError of the kind that fits; nothing stands under `out` then
 */
export async function makeImatrix(
  source: string,
  options: ImatrixOptions & ApiOptions,
): Promise<ImatrixResult> {
  const backend = backendFor(options);
  return typingMemory(measureImportance(source, { ...options, backend }));
}

/**
 * Writes the decoded weights of a quantized checkpoint as a plain Hugging Face checkpoint, which
 * any other program can load. Tensors that are not quantized are copied as they are.
 * @throws UsageError when the checkpoint is not quantized or the output exists
 * @throws FormatError when the checkpoint is malformed
 */
export async function exportCheckpoint(
  source: string,
  options: ExportOptions & ApiOptions,
): Promise<ExportResult> {
  const resolved = await resolveModel(source, options);
  return exportModel({ ...resolved, backend: backendFor(options) }, options);
}

/** Says what an export would write, to the byte, without writing it. @throws as the export does */
export async function planExport(
  source: string,
  options: ExportOptions & ApiOptions,
): Promise<ExportPlan> {
  const resolved = await resolveModel(source, options);
  return planExportOfModel({ ...resolved, backend: backendFor(options) }, options);
}

/**
 * Quantizes a checkpoint into the directory `out`, streaming block by block. Await the returned run
 * for its result; iterate over its `events` for progress.
 *
 * @example
 * const run = quantize("./models/prose-6m", {
 *   method: "gptq", scheme: "w2g64", calibration: "train.txt", out: "./prose-6m-w2",
 * });
 * for await (const event of run.events) render(event);
 * const { record } = await run;
 *
 * What an interrupted run to the same `out` had finished is kept, and the run continues with it, to
 * the same bytes; see the option `resume`.
 *
 * @throws FewbitError (as rejection) of the kind that fits; nothing stands under `out` then
 */
export function quantize(model: ModelSource, options: QuantizeOptions & ApiOptions): QuantizeRun {
  return startRun<PipelineEvent, RunRecord>(options.out, async (emit) => {
    const notify = (message: string): void => emit({ type: "notice", message });
    const backend = backendFor({ ...options, onNotice: options.onNotice ?? notify });
    const recipe = toRecipe(sourceOf(model), options);
    const { overwrite = false, resume = "auto", sharedFolder, signal, onDownload } = options;
    const rest = { overwrite, resume, sharedFolder, signal, onDownload };
    return runRecipe(recipe, { backend, ...rest, drawAllocation: drawAllocationChart, emit });
  });
}

/** Where a training writes, and what it does about an earlier one. */
export interface TrainOptions extends ApiOptions {
  /** Directory of the checkpoint. */
  readonly out: string;
  /** Replace a checkpoint that stands there already. */
  readonly overwrite?: boolean;
  /** `auto` resumes an interrupted run; `restart` discards what it had done. Default `auto`. */
  readonly resume?: ResumeChoice;
}

/** A training under way. Await it for the result; iterate over `events` for progress. */
export type TrainRun = RunHandle<TrainEvent, TrainRecord>;

/**
 * Trains a Llama model from text, tokenizer included, or trains a checkpoint further (`from`),
 * and writes a Hugging Face checkpoint. A run that was interrupted is resumed, to the same bytes.
 *
 * @example
 * const run = train({
 *   model: {
 *     hidden_size: 128, intermediate_size: 352, num_hidden_layers: 4, num_attention_heads: 4,
 *   },
 *   data: { files: ["train.txt"] }, steps: 1000,
 * }, { out: "./small" });
 * for await (const event of run.events) if (event.type === "step") render(event.loss);
 *
 * @throws FewbitError (as rejection) of the kind that fits; nothing stands under `out` then
 */
export function train(config: TrainConfigInput, options: TrainOptions): TrainRun {
  return startRun<TrainEvent, TrainRecord>(options.out, async (emit) => {
    const notify = (message: string): void => emit({ type: "notice", message });
    const backend = backendFor({ ...options, onNotice: options.onNotice ?? notify });
    const { out, overwrite = false, resume = "auto", signal, onDownload } = options;
    const drawLosses = ({ losses, validations, steps }: TrainRecord): string =>
      drawLossChart({ title: `Training loss over ${steps} steps`, losses, validations });
    const run = { backend, out, overwrite, resume, signal, onDownload, emit, drawLosses };
    return pretrain(config, run);
  });
}

/** Where a sweep keeps its results, and what it does about earlier ones. */
export interface SweepOptions extends ApiOptions {
  /** Folder of the results: `results.db`, and checkpoints while they are needed. */
  readonly out: string;
  /** Try points again that failed before. Default false. */
  readonly retryFailed?: boolean;
  /**
   * Results of the same sweep from elsewhere, a folder or the `results.json` of a report: what is
   * done there is taken over.
   */
  readonly earlier?: string;
}

/** A sweep under way. Await it for the results; iterate over `events` for progress. */
export type SweepHandle = RunHandle<SweepEvent, SweepResults>;

/**
 * Makes and measures every point of a recipe: a YAML or JSON file, or its contents. Each finished
 * point is kept in the database of the folder `out`: a sweep that was interrupted is resumed, and
 * several processes may share one. Points that fail are kept as failed.
 *
 * @example
 * const run = sweep("sweep.yaml", { out: "./sweep" });
 * for await (const event of run.events) if (event.type === "end") render(event.record);
 * const { record: results } = await run;
 *
 * @throws FewbitError (as rejection) of the kind that fits; a recipe is checked before any work
 */
export function sweep(recipe: string | SweepRecipeInput, options: SweepOptions): SweepHandle {
  return startRun<SweepEvent, SweepResults>(options.out, async (emit) => {
    const notify = (message: string): void => emit({ type: "notice", message });
    const backend = backendFor({ ...options, onNotice: options.onNotice ?? notify });
    const { out, retryFailed = false, earlier, signal } = options;
    return runSweep(recipe, { backend, out, helper, retryFailed, earlier, signal, emit });
  });
}

/** Says what `sweep` would do and need, without doing or writing anything. */
export function planSweep(
  recipe: string | SweepRecipeInput,
  options: SweepOptions,
): Promise<SweepPlan> {
  const { out, earlier, signal, onNotice, onDownload } = options;
  const backend = backendFor(options);
  return previewSweep(recipe, { backend, out, earlier, signal, onNotice, onDownload });
}

/** Says what `quantize` with these options would do and need, without doing it. */
export async function planQuantization(
  model: ModelSource,
  options: QuantizeOptions & ApiOptions,
): Promise<Plan> {
  return planRecipe(toRecipe(sourceOf(model), options), backendFor(options), options);
}

/**
 * Measures a model on a text file: perplexity, size, speed, and with `against` how far it is from
 * the original; on tasks: the share of right answers; with `generate` by what it writes to prompts.
 * Any of the three may be left out, but not all.
 *
 * @example
 * const original = "./models/prose-6m";
 * const { perplexity } = await evaluate("./prose-6m-w2", { text: "test.txt", against: original });
 * const { tasks } = await evaluate("./prose-6m-w2", { tasks: ["piqa"], tasksFrom: "./tasks" });
 * const { generation } = await evaluate("./prose-6m-w2", { generate: {}, against: original });
 *
 * @throws FewbitError of the kind that fits
 */
export function evaluate(
  model: ModelSource,
  options: EvaluateOptions<ModelSource> & ApiOptions & ArithmeticOptions,
): Promise<Evaluation>;
export function evaluate(
  model: ModelSource,
  options: EvaluateTasksOptions<ModelSource> & ApiOptions & ArithmeticOptions,
): Promise<TaskEvaluation>;
export async function evaluate(
  model: ModelSource,
  options: (EvaluateOptions<ModelSource> | EvaluateTasksOptions<ModelSource>) &
    ApiOptions &
    ArithmeticOptions,
): Promise<Evaluation | TaskEvaluation> {
  return withModels(options, async (open) => {
    const { against, kvCache, ...rest } = options;
    const subject = await open(model, { kvCache, integerOnly: rest.integerOnly });
    const original = against === undefined ? {} : { against: await open(against) };
    return rest.text === undefined
      ? evaluateTasks(subject, { ...rest, ...original })
      : evaluateModel(subject, { ...rest, ...original });
  });
}

/**
 * Measures two models on the same text, tasks and prompts, and says for each figure which is better:
 * by paired bootstrap of the windows, items and prompts, corrected for the number of figures.
 *
 * @example
 * const { figures } = await compare("./prose-6m-w2", "./prose-6m-w3", { text: "test.txt" });
 * for (const { kind, difference } of figures) console.log(kind, difference.verdict);
 *
 * @throws UsageError when the models cut the text into different tokens, or there is nothing to
 * compare on
 * @throws FewbitError of the kind that fits otherwise
 */
export async function compare(
  a: ModelSource,
  b: ModelSource,
  options: CompareOptions<ModelSource> & ApiOptions,
): Promise<ModelComparison> {
  return withModels(options, async (open) => {
    const { against, ...rest } = options;
    const original = against === undefined ? {} : { against: await open(against) };
    return compareModels(await open(a), await open(b), { ...rest, ...original });
  });
}

/**
 * Asks the database of a sweep in SQL; nothing can be changed that way. The view `results` has a
 * row for each point of the recipe.
 *
 * @example
 * const { rows } = await queryResults("./sweep", "SELECT label, perplexity FROM results");
 *
 * @throws UsageError when the query is wrong, would change something, or takes more than 10 s
 */
export function queryResults(folder: string, sql: string): Promise<QueryResult> {
  return askResults(folder, sql, queryHelper);
}

/**
 * Writes what a sweep found as one page of HTML that needs nothing else, with its charts as SVG,
 * and CSV, Markdown and JSON.
 * @param source the folder of a sweep, the `results.json` of an earlier report, or results
 *
 * @example
 * const { page, findings } = await report("./sweep", { out: "./docs/sweep" });
 *
 * @throws FormatError UnsupportedError where there are no results that this version reads
 * @throws UsageError when results in memory are given without `out`
 */
export async function report(
  source: string | SweepResults,
  options: Partial<ReportOptions> = {},
): Promise<Report> {
  const { results, out } =
    typeof source === "string" ? await readResults(source) : { results: source, out: undefined };
  const folder = options.out ?? out;
  if (folder === undefined) {
    throw new UsageError("a report of results in memory needs a folder", {
      hint: "name one: `out`",
      field: "out",
    });
  }
  return writeReport(results, { ...options, out: folder });
}

/**
 * Measures the model of a server that speaks OpenAI's interface and says how likely the tokens of
 * prompts are, by the rules of `evaluate`: what is deployed can be held against what was quantized. An
 * original (`against`) is a model, which is served for as long as that takes, or another server.
 *
 * @example
 * const { perplexity } = await evaluateServer({ url: "http://127.0.0.1:8080" }, { text: "test.txt" });
 *
 * @throws UnsupportedError for a server that does not say what is needed
 * @throws NetworkError when it cannot be reached or refuses
 */
export async function evaluateServer(
  address: ServerAddress,
  options: Omit<EvaluateServerOptions, "against"> &
    ApiOptions & { readonly against?: string | ServerAddress },
): Promise<ServerEvaluation> {
  const { against, ...rest } = options;
  if (typeof against !== "string") {
    return measureServer(address, { ...rest, ...(against ? { against } : {}) });
  }
  const engine = { products: "exact" } as const;
  const server = await serve([{ name: "original", source: against }], { ...rest, engine, port: 0 });
  try {
    const { original, ...found } = await measureServer(address, {
      ...rest,
      against: { url: server.url },
    });
    return { ...found, original: original && { ...original, model: against } };
  } finally {
    await server.close();
  }
}

/** A model to serve, under the name that requests call it by. */
export interface ServedModel {
  readonly name: string;
  /** Directory, GGUF file, or `hf:owner/name[@revision][:file.gguf]`. */
  readonly source: string;
}

/** What is served, how, and to whom. */
export interface ServeOptions extends ServerOptions, ApiOptions {
  readonly engine?: EngineOptions;
  /** A smaller model with the same tokenizer, which guesses tokens; what is written stays the same. */
  readonly draft?: string;
  /** How long a model that nobody uses stays in memory; default for ever. */
  readonly idleMs?: number;
}

/**
 * Serves models behind OpenAI's interface until the server is closed. All are loaded at the start, so
 * that what cannot be served is known then.
 *
 * @example
 * const server = await serve([{ name: "prose", source: "./prose-6m-w2" }], { port: 0 });
 * await fetch(`${server.url}/v1/models`);
 * await server.close();
 *
 * @throws UsageError for an address that cannot be listened at, or names that are not one each
 * @throws FewbitError of the kind that fits when a model cannot be loaded
 */
export async function serve(
  models: readonly ServedModel[],
  options: ServeOptions = {},
): Promise<RunningServer> {
  const { idleMs, draft: draftSource, ...rest } = options;
  const draft = draftSource === undefined ? null : await load(draftSource, options);
  const speculation = { ...options.engine?.speculation, ...(draft ? { draft } : {}) };
  const guesses = draft || options.engine?.speculation ? { speculation } : {};
  const engine = { ...options.engine, ...guesses };
  const pool = new ModelPool({
    models: models.map((model) => ({ ...model, engine })),
    load: ({ source }) => load(source, options),
    ...(idleMs === undefined ? {} : { idleMs }),
  });
  try {
    for (const { name } of models) (await pool.acquire(name)).release();
    const assets = options.assets ?? (await readPageAssets());
    // Who serves nothing is spared what HTTP takes to load.
    const { startServer } = await import("./server/start-server.ts");
    const server = await startServer(pool, { ...rest, assets });
    const close = async (deadlineMs?: number): Promise<void> => {
      await server.close(deadlineMs);
      draft?.release();
    };
    return { ...server, close };
  } catch (error) {
    await pool.close();
    draft?.release();
    throw error;
  }
}

/** Loads models as they are asked for, each once, and releases those at the end. */
async function withModels<T>(
  options: ApiOptions,
  use: (
    open: (source: ModelSource, arithmetic?: ArithmeticOptions) => Promise<LanguageModel>,
  ) => Promise<T>,
): Promise<T> {
  const opened = new Map<string, LanguageModel>();
  try {
    const work = use(async (source, { kvCache, integerOnly = false } = {}) => {
      if (typeof source !== "string") return expectLoadedAs(source, integerOnly);
      const key = JSON.stringify([source, kvCache, integerOnly]);
      const loaded = opened.get(key) ?? (await load(source, { ...options, kvCache, integerOnly }));
      opened.set(key, loaded);
      return loaded;
    });
    const result = await typingMemory(work);
    await expectMappedFilesUnchanged();
    return result;
  } finally {
    for (const loaded of opened.values()) loaded.release();
  }
}

/** @throws UsageError for a loaded model that computes with floats where it must not */
function expectLoadedAs(loaded: LanguageModel, integerOnly: boolean): LanguageModel {
  if (!integerOnly || loaded.integerOnly) return loaded;
  throw new UsageError("the model was loaded to compute with floats", {
    hint: "load it with `integerOnly`",
    field: "integerOnly",
  });
}

function backendFor(options: ApiOptions): ReturnType<typeof openBackend>["backend"] {
  const { backend, notice } = openBackend(options);
  if (notice) options.onNotice?.(notice);
  return backend;
}

function sourceOf(model: ModelSource): string {
  return typeof model === "string" ? model : model.source;
}

export type { Backend, BackendId } from "./backend/backend.ts";
export type { Products } from "./backend/packed-operand.ts";
export type {
  EvaluateOptions,
  EvaluateTasksOptions,
  Evaluation,
  EvaluationProgress,
  TaskEvaluation,
  TaskProgress,
  TaskSelection,
} from "./evaluation/evaluation.ts";
export {
  type MeasureTeacherOptions,
  measureTeacher,
} from "./evaluation/measure-teacher.ts";
export type {
  Continuation,
  GenerateChoice,
  GenerateSelection,
  GenerationFigures,
  GenerationProgress,
} from "./evaluation/generation/generation.ts";
export type { TeacherMeasurement } from "./evaluation/teacher-measurement.ts";
export {
  type AverageId,
  averageIds,
  averagesOf,
  type NamedAverage,
  taskAverages,
} from "./evaluation/tasks/averages.ts";
export type { ServerAddress } from "./evaluation/server/completion-server.ts";
export type {
  EvaluateServerOptions,
  ServerEvaluation,
} from "./evaluation/server/server-evaluation.ts";
export type { TaskDefinition } from "./evaluation/tasks/define-task.ts";
export { taskDefinitions, type TaskId } from "./evaluation/tasks/index.ts";
export { openTask, type OpenTaskOptions } from "./evaluation/tasks/open-task.ts";
export type {
  ComparedFigure,
  CompareOptions,
  ModelComparison,
} from "./evaluation/comparison/model-comparison.ts";
export type { Interval } from "./evaluation/statistics/interval.ts";
export type { Difference, Verdict } from "./evaluation/statistics/paired-comparison.ts";
export {
  multipleChoice,
  type Task,
  type TaskItem,
  type TaskScore,
} from "./evaluation/tasks/task.ts";
export type { DownloadProgress } from "./hub/download-progress.ts";
export type { HubOrigin } from "./hub/resolve-model.ts";
export { type Method, type MethodRole } from "./methods/define-method.ts";
export { type MethodId, methods } from "./methods/index.ts";
export { type PresetId, presets } from "./recipe/presets/index.ts";
export type { KvRounding } from "./quant/activation-grid.ts";
export type { KvCacheDType } from "./nn/kv-cache.ts";
export { type DescribedMachine, describedMachines } from "./machines/described-machines.ts";
export { type LayerCosts, layerCosts, layerJoules } from "./machines/layer-costs.ts";
export type { MachineTable } from "./machines/machine-table.ts";
export { type ModelShape, shapeOf } from "./machines/model-shape.ts";
export type { ModelPlan, PlannedVariant } from "./machines/plan-model.ts";
export { decodeSeconds, predictSpeeds } from "./machines/predict-speed.ts";
export { findMachineTable, readMachineTable } from "./machines/table-file.ts";
export type { PipelineEvent } from "./run/events.ts";
export { type TrainConfigInput, trainConfigSchema } from "./train/pretrain-config.ts";
export type { QueryResult } from "./sweep/results/answer-query.ts";
export { openResults } from "./sweep/results/open-results.ts";
export type { PlannedPoint, SweepEvent, SweepPlan } from "./sweep/sweep-events.ts";
export { sweepJsonSchema } from "./sweep/recipe/sweep-json-schema.ts";
export { type SweepRecipeInput, sweepRecipeSchema } from "./sweep/recipe/sweep-recipe.ts";
export type {
  AverageFigures,
  CheckpointRecord,
  PointRecord,
  PointResult,
  Sample,
  SweepPoint,
  SweepResults,
  TaskFigures,
  TextFigures,
} from "./sweep/results/sweep-results.ts";
export type { TrainEvent, TrainPlan } from "./train/pretrain-events.ts";
export type { TrainRecord } from "./train/pretrain-record.ts";
export type { ExportOptions } from "./quantize/export-checkpoint.ts";
export {
  type ExportDType,
  type ExportPlan,
  exportDTypes,
  type PlannedTensor,
} from "./quantize/export/export-format.ts";
export {
  type ExportFormatId as ExportFormat,
  type ExportResult,
  exportFormats,
} from "./quantize/export/index.ts";
export type { Plan, PlannedLinear } from "./run/plan.ts";
export type { QuantizeOptions } from "./recipe/quantize-options.ts";
export type { QuantizeResult, QuantizeRun } from "./run/run-handle.ts";
export { type Recipe, type RecipeInput, recipeSchema } from "./recipe/recipe.ts";
export type { LinearRecord, RunRecord } from "./run/run-record.ts";
export type { TrainingRecord } from "./run/training-record.ts";
export { type QTensor } from "./quant/q-tensor.ts";
export { parseScheme, type Scheme } from "./quant/scheme.ts";
export type { Report, ReportOptions } from "./report/sweep/write-report.ts";
export {
  type GeneratedToken,
  type GenerateOptions,
  type Generation,
  type GenerationStats,
  generate,
  generateText,
} from "./runtime/generate.ts";
export type { Inspection } from "./runtime/inspect.ts";
export type { EngineOptions } from "./runtime/serving/engine-options.ts";
export type { ServerLimits } from "./server/limits.ts";
export type { Asset } from "./server/server-context.ts";
export type { RunningServer } from "./server/start-server.ts";
export type { LanguageModel } from "./runtime/language-model.ts";
export { applyChatTemplate } from "./tokenizers/chat-template.ts";
export * from "./util/errors.ts";
export { version } from "./util/version.ts";
