import { prepareTarget } from "../run/output/output-directory.ts";
import { stagePath } from "../run/output/resumable-output.ts";
import type { Method } from "../methods/define-method.ts";
import { exists, joinPath, remove } from "../platform/node.ts";
import { type OpenedModel, openModel } from "../runtime/load.ts";
import { openModelCheckpoint } from "../runtime/model-checkpoint.ts";
import { measureSizes, type ModelSizes } from "../runtime/model-sizes.ts";
import { UsageError } from "../util/errors.ts";
import { readImportance } from "./importance-lookup.ts";
import { withFit } from "./fit-memory.ts";
import { makePlan } from "./make-plan.ts";
import { settleCalibration } from "../recipe/parse-recipe.ts";
import { finishersOf, type Recipe } from "../recipe/recipe.ts";
import type {
  EarlierStage,
  JobSources,
  QuantizationJob,
  RunOptions,
} from "../run/quantization-job.ts";
import { SourceFiles } from "../run/source-files.ts";
import { digestOf, identifyRun } from "../run/identity.ts";
import { readRecord, settleEarlierRun } from "../run/resume.ts";
import type { RunRecord } from "../run/run-record.ts";
import { runStage } from "./stage.ts";

/**
 * Runs the methods of a recipe: the quantizer on the original checkpoint, then each finisher on the
 * checkpoint that the method before it made. What comes between stands in hidden folders beside the
 * output, whole checkpoints like any other, until the last is done: a chain that was interrupted
 * continues where it was.
 * @throws UsageError when such a folder is of another chain, or the windows of a finisher are longer
 * than the context
 */
export async function runChain(
  opened: OpenedModel,
  recipe: Recipe,
  method: Method,
  options: RunOptions,
): Promise<RunRecord> {
  const finishers = finishersOf(recipe);
  // What cannot work is refused before any work: the text of finishers, too.
  for (const index of finishers.keys()) finisherRecipe(recipe, index, opened);
  const sources = await noteSources(opened, recipe);
  if (finishers.length === 0) {
    return runStage(await makeJob(opened, recipe, method, { ...options, sources }));
  }
  const { backend, overwrite = false, resume = "auto", emit } = options;
  const identity = await identifyRun(opened.checkpoint, recipe, backend);
  const settled = await settleEarlierRun<RunRecord>({
    out: recipe.out,
    identity,
    overwrite,
    resume,
    readFinished: readRecord<RunRecord>,
    onSettled: (message) => emit({ type: "notice", message }),
  });
  if (settled) return settled;
  const { path } = await prepareTarget(recipe.out, { overwrite, inputs: [opened.directory] });
  const chain = new Chain(opened, recipe, digestOf(identity), path, { ...options, sources });
  let record = await chain.quantize(method);
  for (const [index, { method: finisher }] of finishers.entries()) {
    record = await chain.finish(finisher, index, record);
  }
  return record;
}

/** The recipe of one finisher by itself; it learns from the original unless a teacher is named. */
export function finisherRecipe(
  recipe: Recipe,
  index: number,
  { directory, config }: OpenedModel,
): Recipe {
  const { method, options, data } = recipe.finishers[index];
  return {
    ...recipe,
    method,
    options,
    start: null,
    transforms: [],
    finishers: [],
    embedding: null,
    head: null,
    imatrix: null,
    teacher: recipe.teacher ?? directory,
    calibration: settleCalibration(data ?? recipe.calibration, config.contextLength),
  };
}

/** What a run needs, and the files that its recipe names as they were when it began. */
interface SourcedOptions extends RunOptions {
  readonly sources: JobSources;
}

/** Notes all files that a recipe reads, before any of them is hashed. */
async function noteSources(
  { checkpoint }: OpenedModel,
  { calibration, finishers, teacher, imatrix }: Recipe,
): Promise<JobSources> {
  const sources = { models: new SourceFiles(), texts: new SourceFiles() };
  await sources.models.addCheckpoint(checkpoint);
  if (teacher !== null) await sources.models.addDirectory(teacher);
  if (imatrix !== null) await sources.models.add([imatrix]);
  const images = calibration?.imageEmbeddings ?? null;
  if (images !== null) await sources.models.add([images]);
  for (const text of [calibration, ...finishers.map(({ data }) => data)]) {
    await sources.texts.add((text?.files ?? []).map(({ path }) => path));
  }
  return sources;
}

/** The stages of one chain. Stage 0 is the quantizer. */
class Chain {
  private readonly opened: OpenedModel;
  private readonly recipe: Recipe;
  /** Hash of all that the result depends on. */
  private readonly identity: string;
  private readonly path: string;
  private readonly options: SourcedOptions;
  private readonly stages: number;

  constructor(
    opened: OpenedModel,
    recipe: Recipe,
    identity: string,
    path: string,
    options: SourcedOptions,
  ) {
    this.opened = opened;
    this.recipe = recipe;
    this.identity = identity;
    this.path = path;
    this.options = options;
    this.stages = recipe.finishers.length + 1;
  }

  /** Quantizes the original, unless that is done. */
  async quantize(method: Method): Promise<RunRecord> {
    const { opened, options } = this;
    const recipe: Recipe = { ...this.recipe, finishers: [], out: this.folderOf(0) };
    return this.run(0, await makeJob(opened, recipe, method, options));
  }

  /** Lets finisher `index` continue with what the stage before it made, unless that is done. */
  async finish(finisher: Method, index: number, before: RunRecord): Promise<RunRecord> {
    const { recipe, options } = this;
    const { origin, name } = this.opened;
    const input = this.folderOf(index);
    const opened = await openModel(input, {
      backend: options.backend,
      origin,
      name,
      precision: "float32",
    });
    try {
      const isLast = index + 2 === this.stages;
      const own: Recipe = {
        ...finisherRecipe(recipe, index, this.opened),
        model: input,
        out: isLast ? recipe.out : this.folderOf(index + 1),
      };
      const identity = isLast ? this.identity : null;
      const earlier = { recipe, record: before, identity };
      const job = await makeJob(opened, own, finisher, options, earlier);
      return await this.run(index + 1, job);
    } finally {
      await opened.checkpoint.close();
    }
  }

  private async run(stage: number, job: QuantizationJob): Promise<RunRecord> {
    const { emit } = this.options;
    const done = await this.findDone(stage, job);
    const { title } = job.method;
    const { stages } = this;
    emit({ type: "stage", stage: stage + 1, stages, title, isDone: done !== null });
    return done ?? runStage(job);
  }

  /** Returns the record of a stage that an interrupted run had done; null when there is none. */
  private async findDone(stage: number, { identity }: QuantizationJob): Promise<RunRecord | null> {
    const folder = this.folderOf(stage);
    if (stage + 1 === this.stages || !(await exists(folder))) return null;
    const path = joinPath(folder, "run.json");
    if (this.options.resume !== "restart" && (await exists(path))) {
      const done = await readRecord<RunRecord>(folder);
      if (done.identity === digestOf(identity)) return done.result;
      throw new UsageError(
        `an unfinished run to ${this.path} is not this one: its stage ${stage + 1} was made ` +
          "otherwise",
        {
          hint:
            "start it as before to resume it, or use `resume: restart` to discard what it " +
            "had done",
        },
      );
    }
    await remove(folder);
    return null;
  }

  private folderOf(stage: number): string {
    return stagePath(this.path, stage + 1);
  }
}

async function makeJob(
  opened: OpenedModel,
  asked: Recipe,
  method: Method,
  { sources, ...options }: SourcedOptions,
  earlierStage?: EarlierStage,
): Promise<QuantizationJob> {
  const { backend } = options;
  const plan = await makePlan(opened, asked, method, backend);
  const recipe = withFit(asked, plan.fit);
  const identity = await identifyRun(opened.checkpoint, recipe, backend);
  const { imatrix } = recipe;
  const importance =
    imatrix === null ? null : await readImportance(imatrix, plan.linears, opened.config.names);
  const described = { opened, recipe, method, plan, identity, sources, options, importance };
  const job = { ...described, measure: measureMade };
  return earlierStage ? { ...job, earlierStage } : job;
}

/** Measures a checkpoint that was made, by its headers. @throws FormatError when it is not whole */
async function measureMade(path: string): Promise<ModelSizes> {
  const { checkpoint, config, carried } = await openModelCheckpoint(path);
  try {
    return measureSizes(config, checkpoint, carried);
  } finally {
    await checkpoint.close();
  }
}
