import { SourceFiles } from "../../run/source-files.ts";
import type { Backend } from "../../backend/backend.ts";
import type { Task } from "../../evaluation/tasks/task.ts";
import { promptSetId } from "../../evaluation/generation/prompt-set.ts";
import { baseName, sha256OfFile } from "../../platform/node.ts";
import { version } from "../../util/version.ts";
import { parseTrainConfig } from "../../train/pretrain-config.ts";
import { parseRecipe } from "../../recipe/parse-recipe.ts";
import { digestOf, hashCheckpoint } from "../../run/identity.ts";
import type { ExpandedPoint, PointWork } from "./expanded-point.ts";
import type { DataHash } from "../queue/point-queue.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Hashes of files, each made once. */
export class FileHashes {
  private readonly found = new Map<string, Promise<string>>();
  private readonly files = new SourceFiles();

  /** Returns the SHA-256 of a file in lower-case hexadecimal. */
  sha256(path: string): Promise<string> {
    const known = this.found.get(path) ?? this.hash(path);
    this.found.set(path, known);
    return known;
  }

  /** @throws FewbitError (code `FILE`) that names a file which is not what was hashed */
  async expectUnchanged(): Promise<void> {
    await this.files.expectUnchanged();
  }

  private async hash(path: string): Promise<string> {
    await this.files.add([path]);
    return sha256OfFile(path);
  }
}

/** What the id of a point depends on besides the point. */
export interface Surroundings {
  /** Hash of the original's files. */
  readonly original: string;
  readonly backend: Backend;
  readonly tasks: readonly Task[];
  readonly hashes: FileHashes;
}

/**
 * Hashes all that the result of a point depends on: the program and its kernels, the original's
 * files, the settled recipe, the texts and tasks. Where files lie, the machine with its instruction
 * set and number of threads, and what the point is called do not count.
 */
export async function identifyPoint(
  { point, work, given }: ExpandedPoint,
  { original, backend, tasks, hashes }: Surroundings,
): Promise<string> {
  const data = await hashData(work, tasks, hashes);
  const machine = work.recipe?.allocation?.machine;
  const { texts, shotsFrom, shots, limit, kl, speedTokens, samples, generate } = work.evaluation;
  const examples = shotsFrom === undefined ? null : await hashes.sha256(shotsFrom);
  return digestOf({
    fewbit: version,
    backend: backend.id,
    model: point.model,
    original,
    recipe: JSON.stringify(withoutPlaces(work)),
    ...(machine && { machine: await hashes.sha256(machine) }),
    ...(given && { checkpoint: await hashCheckpoint(given.directory) }),
    texts: JSON.stringify(texts.map((text) => sorted({ ...text, file: null }))),
    tasks: JSON.stringify(tasks.map(({ name, rule, normalized }) => [name, rule, normalized])),
    evaluation: JSON.stringify([kl, speedTokens, shots ?? 0, examples, limit ?? null]),
    ...(generate && {
      generate: JSON.stringify([promptSetId, sorted({ ...generate, prompts: null })]),
    }),
    ...(samples && { samples: JSON.stringify([samples.prompts, samples.tokens]) }),
    ...Object.fromEntries(data.map(({ role, sha256 }, i) => [`${role} ${i}`, sha256])),
  });
}

/** Files of the texts that a point is made of. */
export function learnedFiles({ recipe, training }: PointWork): string[] {
  const texts = [recipe?.calibration, ...(recipe?.finishers ?? []).map(({ data }) => data)];
  return [
    ...texts.flatMap((text) => text?.files?.map(({ path }) => path) ?? []),
    ...texts.flatMap((text) => text?.imageEmbeddings ?? []),
    ...(training?.data?.files ?? []),
    ...(training?.validation?.files ?? []),
  ];
}

/** Hashes the files that a point is made of and measured on. */
export async function hashData(
  work: PointWork,
  tasks: readonly Task[],
  hashes: FileHashes,
): Promise<DataHash[]> {
  const { evaluation } = work;
  const prompts = evaluation.generate?.prompts === undefined ? [] : [evaluation.generate.prompts];
  const hash = async (role: DataHash["role"], path: string): Promise<DataHash> => ({
    role,
    name: baseName(path),
    sha256: await hashes.sha256(path),
  });
  return [
    ...(await Promise.all(learnedFiles(work).map((path) => hash("calibration", path)))),
    ...(await Promise.all(evaluation.texts.map(({ file }) => hash("text", file)))),
    ...(await Promise.all(prompts.map((path) => hash("prompts", path)))),
    ...tasks.map(({ name, sha256 = "" }) => ({ role: "task" as const, name, sha256 })),
  ];
}

/** Fields that say where files lie. */
const placeKeys: ReadonlySet<string> = new Set(["path", "imageEmbeddings", "machine", "stateFile"]);

/** How a point is made, with its defaults, without paths; files count by their hashes. */
function withoutPlaces({ recipe, training }: PointWork): unknown {
  if (!recipe && !training) return null;
  const {
    model: _,
    out: __,
    from: ___,
    allocation,
    ...rest
  }: Fields = recipe ? parseRecipe(recipe).parsed : parseTrainConfig(training);
  // Points without one keep the ids that they had before there were any.
  const settled = { ...rest, ...(allocation != null && { allocation }) };
  const strip = (key: string, value: unknown): unknown =>
    placeKeys.has(key) || (training && key === "files") ? undefined : value;
  return JSON.parse(JSON.stringify(sorted(settled), strip));
}

/** The same value with the fields of every object in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
}
