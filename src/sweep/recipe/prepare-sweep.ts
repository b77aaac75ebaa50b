import type { Backend } from "../../backend/backend.ts";
import { openTasks } from "../../evaluation/evaluate-tasks.ts";
import type { AverageId } from "../../evaluation/tasks/averages.ts";
import type { Task } from "../../evaluation/tasks/task.ts";
import { type ResolveOptions, resolveModel } from "../../hub/resolve-model.ts";
import {
  absolutePath,
  parentPath,
  readText,
  relativePath,
  workingDirectory,
} from "../../platform/node.ts";
import {
  checkFiles,
  checkPoints,
  checkRecipe,
  type NamedFile,
  selectPoints,
  spareCalibration,
} from "./check-points.ts";
import type { EnrolledPoint } from "../queue/enroll-points.ts";
import { expandRecipe, resolveSource } from "./expand-recipe.ts";
import type { ExpandedPoint } from "./expanded-point.ts";
import { readGivenCheckpoints } from "./given-checkpoints.ts";
import { FileHashes, identifyPoint, learnedFiles } from "./identify-points.ts";
import { hashCheckpoint } from "../../run/identity.ts";
import { checkContext } from "./check-context.ts";
import { pointCommand } from "./point-command.ts";
import { parseSweepRecipe } from "./parse-sweep-recipe.ts";
import {
  fault,
  faultAt,
  placingFaults,
  type RecipeSource,
  sourceOfValue,
} from "./recipe-source.ts";
import type { PointEvaluation, SweepRecipe, SweepRecipeInput } from "./sweep-recipe.ts";

/** A point with the place in the recipe that it comes from. */
export type PreparedPoint = EnrolledPoint & Pick<ExpandedPoint, "path">;

/** A recipe that was checked, with its points and what they are measured by. */
export interface PreparedSweep {
  readonly source: RecipeSource;
  readonly recipe: SweepRecipe;
  readonly points: readonly PreparedPoint[];
  readonly tasks: readonly Task[];
  readonly hashes: FileHashes;
  /** Hashes of the originals' files by the sources that the points name. */
  readonly originals: ReadonlyMap<string, string>;
}

/** Only who has a file to read loads the library for it. @throws UsageError with line and column */
async function readSource(path: string): Promise<RecipeSource> {
  const { parseSource } = await import("./parse-source.ts");
  return parseSource(path, await readText(path));
}

/**
 * Reads a recipe, checks all of it before any work, and finds its points with their ids.
 * @throws UsageError with file, line, column and field
 * @throws FormatError when a model or a task file is not as it should be
 */
export async function prepareSweep(
  given: string | SweepRecipeInput,
  backend: Backend,
  options: ResolveOptions,
): Promise<PreparedSweep> {
  const isFile = typeof given === "string";
  const folder = isFile ? parentPath(absolutePath(given)) : workingDirectory();
  const source = isFile ? await readSource(given) : sourceOfValue(given);
  return placingFaults(source, async () => {
    const recipe = parseSweepRecipe(source.value);
    checkRecipe(recipe);
    const at = (path: string): string => resolveSource(folder, path);
    const checkpoints = await readGivenCheckpoints(recipe, at);
    const points = selectPoints(recipe, expandRecipe(recipe, at, checkpoints));
    checkPoints(points);
    await checkFiles(filesOf(recipe, points));
    const hashes = new FileHashes();
    const tasks = await readTasks(points[0].work.evaluation);
    const originals = new Map<string, string>();
    const identifying = { backend, options, hashes, tasks, folder, originals };
    const prepared = await identify(points.map(spareCalibration), identifying);
    return { source, recipe, points: prepared, tasks, hashes, originals };
  });
}

interface Identifying {
  readonly backend: Backend;
  readonly options: ResolveOptions;
  readonly hashes: FileHashes;
  readonly tasks: readonly Task[];
  readonly folder: string;
  /** Filled in here. */
  readonly originals: Map<string, string>;
}

/** Finds the models, and from their files and all else the ids of the points. */
async function identify(
  points: readonly ExpandedPoint[],
  { backend, options, hashes, tasks, folder, originals }: Identifying,
): Promise<PreparedPoint[]> {
  const models = new Map<string, { source: string; hash: string; directory: string }>();
  const placeOf = (path: string): string =>
    path.startsWith("hf:") ? path : relativePath(folder, path);
  const seen = new Map<string, string>();
  const prepared: PreparedPoint[] = [];
  for (const each of points) {
    const { point, path } = each;
    let model = models.get(each.work.model);
    if (!model) {
      try {
        const { source, directory } = await resolveModel(each.work.model, options);
        model = { source, hash: await hashCheckpoint(directory), directory };
      } catch (error) {
        throw faultAt(path, error);
      }
      await checkContext(each.work.evaluation, model.directory);
      models.set(each.work.model, model);
      originals.set(model.source, model.hash);
    }
    const { recipe, training } = each.work;
    const work = {
      ...each.work,
      model: model.source,
      recipe: recipe && { ...recipe, model: model.source },
      ...(training && { training: { ...training, from: model.source } }),
    };
    const id = await identifyPoint(
      { ...each, work },
      { original: model.hash, backend, tasks, hashes },
    );
    const other = seen.get(id);
    if (other !== undefined) {
      throw fault(path, `${point.label} is the same as ${other}`, "leave one of them out");
    }
    seen.set(id, point.label);
    const command = pointCommand({ ...each, work }, placeOf);
    prepared.push({ point: { id, ...point }, work, command, path });
  }
  return prepared;
}

function filesOf(
  { models, evaluation }: SweepRecipe,
  points: readonly ExpandedPoint[],
): NamedFile[] {
  const files: NamedFile[] = [];
  for (const { point, work, path } of points) {
    if (point.method === null && !work.model.startsWith("hf:")) {
      const index = models.findIndex(({ id }) => id === point.model);
      files.push({ file: work.model, kind: "model", path: `models[${index}].path` });
    }
    for (const file of learnedFiles(work)) files.push({ file, kind: "file", path });
    const machine = work.recipe?.allocation?.machine;
    if (machine) files.push({ file: machine, kind: "file", path: `${path}.allocation.machine` });
  }
  const [first] = points;
  for (const [i, { file }] of first.work.evaluation.texts.entries()) {
    const isShort = typeof evaluation.texts[i] === "string";
    const path = `evaluation.texts[${i}]${isShort ? "" : ".file"}`;
    files.push({ file, kind: "file", path });
  }
  const prompts = first.work.evaluation.generate?.prompts;
  if (prompts !== undefined) {
    files.push({ file: prompts, kind: "file", path: "evaluation.generate.prompts" });
  }
  return files;
}

/** Opens the tasks one by one, so that a fault has its place in the recipe. */
async function readTasks(evaluation: PointEvaluation): Promise<Task[]> {
  const {
    tasks: given,
    averages,
    samples: _samples,
    generate: _generate,
    ...selection
  } = evaluation;
  const tasks: Task[] = [];
  const open = async (
    more: { tasks?: string[]; averages?: AverageId[] },
    path: string,
  ): Promise<void> => {
    try {
      const opened = await openTasks({ ...selection, tasks: [], averages: [], ...more });
      for (const task of opened)
        if (!tasks.some(({ name }) => name === task.name)) tasks.push(task);
    } catch (error) {
      throw faultAt(path, error);
    }
  };
  for (const [i, task] of given.entries()) {
    const before = tasks.length;
    await open({ tasks: [task] }, `evaluation.tasks[${i}]`);
    if (tasks.length > before) continue;
    throw fault(`evaluation.tasks[${i}]`, "is the same task as one before it");
  }
  for (const [i, id] of averages.entries()) {
    await open({ averages: [id] }, `evaluation.averages[${i}]`);
  }
  return tasks;
}
