import type { Backend } from "../../backend/backend.ts";
import { openCheckpoint } from "../../formats/checkpoint.ts";
import { baseName, sha256OfFile } from "../../platform/node.ts";
import { version } from "../../util/version.ts";
import { parseRecipe } from "../recipe.ts";
import { digestOf, identifyCheckpoint } from "../run-identity.ts";
import type { ExpandedPoint, PointWork } from "./expand-recipe.ts";
import type { DataHash } from "./point-queue.ts";

/** Hashes of files, each made once. */
export class FileHashes {
  private readonly found = new Map<string, Promise<string>>();

  /** Returns the SHA-256 of a file in lower-case hexadecimal. */
  sha256(path: string): Promise<string> {
    const known = this.found.get(path) ?? sha256OfFile(path);
    this.found.set(path, known);
    return known;
  }
}

/** Hashes what the files of a checkpoint are, wherever it lies. */
export async function hashCheckpoint(directory: string): Promise<string> {
  const checkpoint = await openCheckpoint(directory);
  try {
    return digestOf(await identifyCheckpoint(checkpoint));
  } finally {
    await checkpoint.close();
  }
}

/**
 * Hashes all that the result of a point depends on: the program and its kernels, the original's files, the settled recipe, the
 * texts and tasks. Where files lie, the number of threads, and what the point is called do not count.
 */
export async function identifyPoint(
  { point, work }: ExpandedPoint,
  original: string,
  backend: Backend,
  hashes: FileHashes,
): Promise<string> {
  const data = await hashData(work, hashes);
  const { texts, tasks, ...evaluation } = work.evaluation;
  return digestOf({
    fewbit: version,
    backend: `${backend.id} ${backend.level}`,
    model: point.model,
    original,
    recipe: JSON.stringify(withoutPlaces(work)),
    evaluation: JSON.stringify(sorted({ ...evaluation, tasks: tasks.length })),
    texts: JSON.stringify(texts.map((text) => sorted({ ...text, file: null }))),
    ...Object.fromEntries(data.map(({ role, sha256 }, i) => [`${role} ${i}`, sha256])),
  });
}

/** Hashes the files that a point is made of and measured on. */
export async function hashData(
  { recipe, evaluation }: PointWork,
  hashes: FileHashes,
): Promise<DataHash[]> {
  const texts = [recipe?.calibration, ...(recipe?.finishers ?? []).map(({ data }) => data)];
  const calibration = texts.flatMap((text) => text?.files?.map(({ path }) => path) ?? []);
  const files: readonly (readonly [DataHash["role"], string])[] = [
    ...calibration.map((path) => ["calibration", path] as const),
    ...evaluation.texts.map(({ file }) => ["text", file] as const),
    ...evaluation.tasks.map((path) => ["task", path] as const),
  ];
  return Promise.all(
    files.map(async ([role, path]) => ({
      role,
      name: baseName(path),
      sha256: await hashes.sha256(path),
    })),
  );
}

/** The recipe with its defaults, without paths; files count by their hashes. */
function withoutPlaces({ recipe }: PointWork): unknown {
  if (!recipe) return null;
  const { model: _, out: __, ...settled } = parseRecipe(recipe).parsed;
  const strip = (key: string, value: unknown): unknown => (key === "path" ? undefined : value);
  return JSON.parse(JSON.stringify(sorted(settled), strip));
}

/** The same value with the fields of every object in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
}
