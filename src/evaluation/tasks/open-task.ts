import { baseName, exists } from "../../platform/node.ts";
import { UsageError } from "../../util/errors.ts";
import { suggestName } from "../../util/nearest.ts";
import type { TaskDefinition } from "./define-task.ts";
import { withExamples } from "./few-shot.ts";
import { findTaskDefinition, taskDefinitions } from "./index.ts";
import multipleChoiceFile from "./multiple-choice.ts";
import { readTask } from "./read-task.ts";
import type { Task } from "./task.ts";

/** How tasks are opened. */
export interface OpenTaskOptions {
  /** Folder of data files, for tasks that are given by name alone. */
  readonly tasksFrom?: string | undefined;
  /** Answered examples in front of each item; default 0. */
  readonly shots?: number | undefined;
  /** File that the examples come from, in the task's shape; by default the task's own file. */
  readonly shotsFrom?: string | undefined;
  /** Seed of the choice of examples; default 0. */
  readonly seed?: number | undefined;
  /** Only the first items. */
  readonly limit?: number | undefined;
}

/**
 * Opens a task: `name=FILE`; `FILE`, whose name may be that of a task; or `name` alone, whose file
 * is in `tasksFrom`. A file that is not named like a task has lines `{"query", "choices", "gold"}`.
 * A task in memory gets its examples and its limit too.
 * @throws UsageError when a name is unknown or has no file, there are too few items for the
 * examples, or a number makes no sense
 * @throws FormatError that names line and field, when a file is not as it should be
 */
export async function openTask(given: string | Task, options: OpenTaskOptions = {}): Promise<Task> {
  expectSensible(options);
  const { shots = 0, seed = 0, limit = Number.POSITIVE_INFINITY, shotsFrom } = options;
  const { whole, definition } = await readWhole(given, options.tasksFrom);
  const items = whole.items.slice(0, limit);
  const limited = whole.limited === true || items.length < whole.items.length;
  const task = { ...whole, items, limited };
  if (shots === 0) return task;
  const other = shotsFrom === undefined ? whole : await readTask(shotsFrom, whole.name, definition);
  return withExamples(task, { shots, seed, pool: other.items });
}

/** Refuses numbers that are not counts of items. @throws UsageError */
function expectSensible({ shots = 0, limit = 1, shotsFrom }: OpenTaskOptions): void {
  if (!Number.isSafeInteger(shots) || shots < 0) {
    throw new UsageError(`expected a whole number of examples, at least 0; got ${shots}`, {
      field: "shots",
      value: shots,
    });
  }
  if (!(limit >= 1) || (Number.isFinite(limit) && !Number.isInteger(limit))) {
    throw new UsageError(`expected a whole number of items, at least 1; got ${limit}`, {
      field: "limit",
      value: limit,
    });
  }
  if (shotsFrom === undefined || shots > 0) return;
  throw new UsageError(`${shotsFrom} was named for examples, but none were asked for`, {
    hint: "say with `shots` how many",
    field: "shotsFrom",
    value: shotsFrom,
  });
}

async function readWhole(
  given: string | Task,
  tasksFrom: string | undefined,
): Promise<{ whole: Task; definition: TaskDefinition }> {
  if (typeof given !== "string") return { whole: given, definition: multipleChoiceFile };
  const { path, name, definition } = await locate(given, tasksFrom);
  return { whole: await readTask(path, name, definition), definition };
}

/** A task's file, what it is called, and how it is read. */
interface Source {
  readonly path: string;
  readonly name: string;
  readonly definition: TaskDefinition;
}

async function locate(given: string, tasksFrom: string | undefined): Promise<Source> {
  const { id = "", file = "" } = /^(?<id>\w+)=(?<file>.+)$/s.exec(given)?.groups ?? {};
  if (id !== "") {
    const definition = findTaskDefinition(id);
    if (!definition) throw unknownTask(id);
    return { path: file, name: nameOf(definition, file), definition };
  }
  const named = findTaskDefinition(given);
  if (named) {
    return { path: await findFile(named, tasksFrom), name: named.id, definition: named };
  }
  if (/^\w+$/.test(given) && !(await exists(given))) throw unknownTask(given);
  const definition = definitionOfFile(given);
  return { path: given, name: nameOf(definition, given), definition };
}

/** Finds the data file of a task in a folder. */
async function findFile(
  { id, files }: TaskDefinition,
  folder: string | undefined,
): Promise<string> {
  if (folder === undefined || files.length === 0) {
    throw new UsageError(`the task ${id} needs its data file`, {
      hint: `write ${id}=FILE, or name the folder of the files with \`tasksFrom\``,
      field: "tasksFrom",
    });
  }
  for (const file of files) {
    for (const ending of ["jsonl", "ndjson", "json"]) {
      const path = `${folder}/${file}.${ending}`;
      if (await exists(path)) return path;
    }
  }
  throw new UsageError(`${folder} has no data for the task ${id}`, {
    hint:
      `expected ${files.map((file) => `${file}.jsonl`).join(" or ")} there; ` +
      `or write ${id}=FILE`,
  });
}

/** The task that a file is named after; else a file of one's own. */
function definitionOfFile(path: string): TaskDefinition {
  const stem = stemOf(path);
  const all: readonly TaskDefinition[] = Object.values(taskDefinitions);
  return all.find(({ files }) => files.includes(stem)) ?? multipleChoiceFile;
}

/** Results are called like the task, those of a file of one's own like the file. */
function nameOf({ id, files }: TaskDefinition, path: string): string {
  return files.length > 0 ? id : stemOf(path);
}

function stemOf(path: string): string {
  return baseName(path).replace(/\.(jsonl|ndjson|json)$/i, "");
}

function unknownTask(id: string): UsageError {
  const known = Object.keys(taskDefinitions);
  const all = `tasks are ${known.join(", ")}; or give a file of JSON lines`;
  return new UsageError(`there is no task ${id}`, { hint: suggestName(id, known, all) });
}
